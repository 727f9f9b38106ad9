/** What somebody has set for themselves, wherever they sit; only its screen loads this. */
import * as v from "valibot";
import { decoded, send, withBody } from "./client.ts";

const OWN = "/api/preferences";
/** As many characters may be told to each model. */
export const INSTRUCTION_CHARACTERS = 4_000;

/** `instructions` are given to the model before each question; empty: none. */
export const Preferences = v.object({ instructions: v.string() });
export type Preferences = v.InferOutput<typeof Preferences>;

export const getPreferences = async (): Promise<Preferences> => decoded(Preferences, await send(OWN));

export const changePreferences = async (changes: Partial<Preferences>): Promise<Preferences> =>
  decoded(Preferences, await send(OWN, withBody("PATCH", changes)));
