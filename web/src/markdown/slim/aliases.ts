// For vite.config.ts (`resolve.alias`): parts of markdown-it that this page does not need in full. Without these
// aliases all works the same, and the page's script is 24 KB larger.
import { fileURLToPath } from "node:url";

const part = (name: string): string => fileURLToPath(new URL(name, import.meta.url));

export const markdownAliases = [
  { find: /^entities$/, replacement: part("./entities.ts") },
  { find: /^uc\.micro$/, replacement: part("./unicode.ts") },
  { find: /^punycode\.js$/, replacement: part("./punycode.ts") },
  { find: /^mdurl$/, replacement: part("./url.ts") },
  { find: /^get-east-asian-width$/, replacement: part("./width.ts") },
  { find: /^linkify-it$/, replacement: part("./linkify.ts") },
];
