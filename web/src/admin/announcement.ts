/** An announcement as it is written into a form, and as it is sent. Pure. */
import type { Announcement } from "../api/wire.ts";

export interface Written {
  readonly en: string;
  readonly ko: string;
  /** As a browser's own field has it, in local time: 2027-01-31T18:00. */
  readonly until: string;
}

const TWO = (number: number): string => String(number).padStart(2, "0");

export function localTime(moment: number | null): string {
  if (moment === null) return "";
  const at = new Date(moment);
  return `${String(at.getFullYear())}-${TWO(at.getMonth() + 1)}-${TWO(at.getDate())}T${TWO(at.getHours())}:${TWO(at.getMinutes())}`;
}

/** What is to be sent, or the message that says why it is not. */
export function readAnnouncement(
  { en, ko, until }: Written,
  now: number,
): { readonly wish: Announcement | null; readonly wrong: "announcementEmpty" | "announcementPast" | null } {
  if (en.trim() === "" && ko.trim() === "") return { wish: null, wrong: "announcementEmpty" };
  const moment = until === "" ? null : new Date(until).getTime();
  if (moment !== null && !(moment > now)) return { wish: null, wrong: "announcementPast" };
  return { wish: { en: en.trim(), ko: ko.trim(), until: moment }, wrong: null };
}
