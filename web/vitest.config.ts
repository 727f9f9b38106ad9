import { defineConfig, mergeConfig } from "vitest/config";
import vite from "./vite.config.ts";

// Inlined, markdown-it gets the aliases of the build too, so that the tests run what ships.
const test = { include: ["test/**/*.test.ts"], testTimeout: 20_000, server: { deps: { inline: [/markdown-it/] } } };

export default mergeConfig(vite, defineConfig({ test }));
