// Builds the page's Markdown alone, with the page's own settings, into the folder named by the argument.
import { createRequire } from "node:module";
import { fileURLToPath, pathToFileURL } from "node:url";

const web = fileURLToPath(new URL("../web/", import.meta.url));
const { build, loadConfigFromFile } = await import(pathToFileURL(createRequire(`${web}package.json`).resolve("vite")).href);
const loaded = await loadConfigFromFile({ command: "build", mode: "production" }, `${web}vite.config.ts`);

await build({
  configFile: false,
  root: web,
  logLevel: "error",
  resolve: loaded.config.resolve,
  build: {
    outDir: process.argv[2],
    emptyOutDir: true,
    target: "es2022",
    lib: { entry: `${web}src/markdown/index.ts`, formats: ["es"], fileName: "markdown" },
    minify: true,
  },
});
