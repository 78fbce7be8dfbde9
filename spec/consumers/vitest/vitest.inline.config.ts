// Vite resolves and transforms the package itself, instead of leaving it to Node.
import { defineConfig } from "vitest/config";

export default defineConfig({ test: { server: { deps: { inline: ["cqrx"] } } } });
