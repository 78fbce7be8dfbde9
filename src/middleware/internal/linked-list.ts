export interface Linked<T extends Linked<T>> {
  list: LinkedList<T> | undefined;
  previous: T | undefined;
  following: T | undefined;
}

/**
 * Members in order, each in at most one list. Not an array, because aborted members leave from the middle;
 * not a Set, because a Set is slow to find its first entry after many have left.
 */
export class LinkedList<T extends Linked<T>> implements Iterable<T> {
  declare length: number;
  declare first: T | undefined;
  declare private last: T | undefined;

  constructor() {
    this.length = 0;
    this.first = undefined;
    this.last = undefined;
  }

  add(member: T): void {
    member.list = this;
    member.previous = this.last;
    if (this.last === undefined) this.first = member;
    else this.last.following = member;
    this.last = member;
    this.length++;
  }

  remove(member: T): void {
    const { previous, following } = member;
    if (previous === undefined) this.first = following;
    else previous.following = following;
    if (following === undefined) this.last = previous;
    else following.previous = previous;
    member.list = member.previous = member.following = undefined;
    this.length--;
  }

  *[Symbol.iterator](): Generator<T> {
    for (let member = this.first; member !== undefined; member = member.following) yield member;
  }
}
