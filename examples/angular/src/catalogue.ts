import type { Book } from "./messages";

const BOOKS = `
Pride and Prejudice|Jane Austen
Emma|Jane Austen
Persuasion|Jane Austen
Jane Eyre|Charlotte Brontë
Wuthering Heights|Emily Brontë
Middlemarch|George Eliot
Great Expectations|Charles Dickens
Bleak House|Charles Dickens
Dracula|Bram Stoker
Frankenstein|Mary Shelley
Moby-Dick|Herman Melville
The Scarlet Letter|Nathaniel Hawthorne
Little Women|Louisa May Alcott
Walden|Henry David Thoreau
The Time Machine|H. G. Wells
The War of the Worlds|H. G. Wells
Treasure Island|Robert Louis Stevenson
Kidnapped|Robert Louis Stevenson
The Picture of Dorian Gray|Oscar Wilde
Anna Karenina|Leo Tolstoy
War and Peace|Leo Tolstoy
Crime and Punishment|Fyodor Dostoevsky
The Brothers Karamazov|Fyodor Dostoevsky
Dead Souls|Nikolai Gogol
Madame Bovary|Gustave Flaubert
The Count of Monte Cristo|Alexandre Dumas
The Three Musketeers|Alexandre Dumas
Around the World in Eighty Days|Jules Verne
Don Quixote|Miguel de Cervantes
Effi Briest|Theodor Fontane
The Metamorphosis|Franz Kafka
The Trial|Franz Kafka
`;

export const catalogue: readonly Book[] = BOOKS.trim()
  .split("\n")
  .map((line) => {
    const [title = "", author = ""] = line.split("|");
    return { id: title.toLowerCase().replaceAll(/\W+/g, "-"), title, author };
  });
