/** Conversations under headings by age, as people remember them. Pure. */
import type { Conversation } from "../api/wire.ts";

export type GroupName = "pinned" | "today" | "yesterday" | "week" | "month" | "older";

export interface Group {
  readonly name: GroupName;
  readonly conversations: readonly Conversation[];
}

export function groupsOf(conversations: readonly Conversation[], now: Date): Group[] {
  const groups: { name: GroupName; conversations: Conversation[] }[] = [];
  for (const conversation of conversations) {
    const name = conversation.pinned ? "pinned" : ageOf(conversation.updated, now);
    const last = groups.at(-1);
    if (last?.name === name) last.conversations.push(conversation);
    else groups.push({ name, conversations: [conversation] });
  }
  return groups;
}

function ageOf(time: number, now: Date): GroupName {
  const midnight = (daysAgo: number): number => new Date(now.getFullYear(), now.getMonth(), now.getDate() - daysAgo).getTime();
  if (time >= midnight(0)) return "today";
  if (time >= midnight(1)) return "yesterday";
  if (time >= midnight(7)) return "week";
  return time >= midnight(30) ? "month" : "older";
}
