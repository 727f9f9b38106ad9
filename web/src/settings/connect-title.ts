/** How the way to more models is called: by what there is already. */
import { identity } from "../sign-in/identity.svelte.ts";
import { models } from "./models.svelte.ts";

export function connectTitle(): "connectAwsTitle" | "connectMoreTitle" | "connectTitle" {
  if (identity.onAws) return "connectAwsTitle";
  return models.hasReal ? "connectMoreTitle" : "connectTitle";
}
