import { svelte } from "@sveltejs/vite-plugin-svelte";
import { defineConfig, type Plugin } from "vite";
import { compression } from "vite-plugin-compression2";

import { markdownAliases } from "./src/markdown/slim/aliases.ts";

const server = process.env["DAEHWA_SERVER"] ?? "http://127.0.0.1:8000";

/** Nothing is painted before the script has set theme and language, so neither ever flashes. */
function scriptBlocksFirstPaint(): Plugin {
  return {
    name: "script-blocks-first-paint",
    transformIndexHtml: {
      order: "post",
      handler: (html) => html.replace('<script type="module"', '<script type="module" blocking="render"'),
    },
  };
}

export default defineConfig({
  plugins: [svelte(), scriptBlocksFirstPaint(), compression({ algorithms: ["gzip", "brotliCompress"], threshold: 512 })],
  resolve: { alias: markdownAliases },
  build: {
    outDir: "../src/daehwa/server/page",
    emptyOutDir: true,
    target: "es2022",
    assetsInlineLimit: 4096,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
    // All that the first visit needs is one file: the bundler's own choice is two as soon as there are three screens.
    rolldownOptions: { output: { codeSplitting: { groups: [{ name: "page", tags: ["$initial"] }] } } },
  },
  server: { proxy: { "/api": server, "/healthz": server } },
});
