/** By which doors people come in here, asked for once somebody has to. */
import { getDoors } from "../api/doors.ts";
import type { Doors } from "../api/doors-wire.ts";

class KnownDoors {
  /** Null until it was asked for. */
  known = $state.raw<Doors | null>(null);

  async load(): Promise<void> {
    this.known ??= await getDoors();
  }

  /** Whether one comes in on this page, and not only through somebody else's. */
  get areHere(): boolean {
    return this.known?.password === true;
  }
}

export const doors = new KnownDoors();
