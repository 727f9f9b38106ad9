// Which tokenizer colours which language. Each is fetched when the first block in its language appears.
import type { StreamParser } from "@codemirror/streamparser";

export type Tokenizer = StreamParser<unknown>;
type Load = () => Promise<Tokenizer>;

const clike = () => import("@codemirror/legacy-modes/mode/clike");
const css = () => import("@codemirror/legacy-modes/mode/css");
const javascript = () => import("@codemirror/legacy-modes/mode/javascript");

const loads: Record<string, Load> = {
  c: async () => (await clike()).c,
  cpp: async () => (await clike()).cpp,
  csharp: async () => (await clike()).csharp,
  css: async () => (await css()).css,
  dart: async () => (await clike()).dart,
  diff: async () => (await import("@codemirror/legacy-modes/mode/diff")).diff,
  dockerfile: async () => (await import("@codemirror/legacy-modes/mode/dockerfile")).dockerFile,
  go: async () => (await import("@codemirror/legacy-modes/mode/go")).go,
  haskell: async () => (await import("@codemirror/legacy-modes/mode/haskell")).haskell,
  html: async () => (await import("./html.ts")).html,
  java: async () => (await clike()).java,
  javascript: async () => (await javascript()).javascript,
  json: async () => (await javascript()).json,
  kotlin: async () => (await clike()).kotlin,
  less: async () => (await css()).less,
  lua: async () => (await import("@codemirror/legacy-modes/mode/lua")).lua,
  nginx: async () => (await import("@codemirror/legacy-modes/mode/nginx")).nginx,
  perl: async () => (await import("@codemirror/legacy-modes/mode/perl")).perl,
  powershell: async () => (await import("@codemirror/legacy-modes/mode/powershell")).powerShell,
  properties: async () => (await import("@codemirror/legacy-modes/mode/properties")).properties,
  python: async () => (await import("@codemirror/legacy-modes/mode/python")).python,
  r: async () => (await import("@codemirror/legacy-modes/mode/r")).r,
  ruby: async () => (await import("@codemirror/legacy-modes/mode/ruby")).ruby,
  rust: async () => (await import("@codemirror/legacy-modes/mode/rust")).rust,
  scala: async () => (await clike()).scala,
  scss: async () => (await css()).sCSS,
  shell: async () => (await import("@codemirror/legacy-modes/mode/shell")).shell,
  sql: async () => (await import("@codemirror/legacy-modes/mode/sql")).standardSQL,
  swift: async () => (await import("@codemirror/legacy-modes/mode/swift")).swift,
  toml: async () => (await import("@codemirror/legacy-modes/mode/toml")).toml,
  typescript: async () => (await javascript()).typescript,
  xml: async () => (await import("@codemirror/legacy-modes/mode/xml")).xml,
  yaml: async () => (await import("@codemirror/legacy-modes/mode/yaml")).yaml,
};

const otherNames: Record<string, string> = {
  bash: "shell", "c#": "csharp", "c++": "cpp", cc: "cpp", cs: "csharp", console: "shell", docker: "dockerfile", golang: "go", h: "c",
  hpp: "cpp", hs: "haskell", htm: "html", ini: "properties", js: "javascript", json5: "json", jsonc: "json", jsx: "javascript",
  kt: "kotlin", mjs: "javascript", mysql: "sql", patch: "diff", pgsql: "sql", postgresql: "sql", ps1: "powershell", py: "python",
  python3: "python", rb: "ruby", rs: "rust", sh: "shell", sqlite: "sql", svelte: "html", svg: "xml", ts: "typescript",
  tsx: "typescript", vue: "html", yml: "yaml", zsh: "shell",
};

const loading = new Map<string, Promise<Tokenizer | null>>();
const loaded = new Map<string, Tokenizer>();

/** The name under which a tokenizer for this language is known here; null where there is none. */
export function known(language: string): string | null {
  const lower = language.toLowerCase();
  const name = Object.hasOwn(otherNames, lower) ? otherNames[lower] : lower;
  return name !== undefined && Object.hasOwn(loads, name) ? name : null;
}

export function alreadyLoaded(name: string): Tokenizer | undefined {
  return loaded.get(name);
}

/** Code stays plain where its tokenizer cannot be fetched; the next block tries again. */
export function load(name: string): Promise<Tokenizer | null> {
  const begun = loading.get(name);
  if (begun !== undefined) return begun;
  const fetching = (loads[name]?.() ?? Promise.reject(new Error(name))).then(
    (tokenizer) => {
      loaded.set(name, tokenizer);
      return tokenizer;
    },
    () => {
      loading.delete(name);
      return null;
    },
  );
  loading.set(name, fetching);
  return fetching;
}
