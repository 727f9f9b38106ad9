// @vitest-environment jsdom
import { expect, test } from "vitest";
import { PeopleList } from "../src/admin/people-list.svelte.ts";
import type { People, Person } from "../src/api/admin-wire.ts";

interface Asked {
  readonly query: string;
  readonly after: string | null;
  readonly answer: (names: readonly string[], after: string | null) => Promise<void>;
}

const person = (name: string): Person => ({
  id: name,
  login: name,
  email: null,
  name,
  role: "member",
  groups: [],
  door: "local",
  disabled: null,
  leaving: null,
  created: 1,
  last_seen: 1,
  has_password: true,
  has_totp: false,
  passkeys: 0,
  month_cost: 0,
});
const settled = (): Promise<void> => new Promise((resolve) => setTimeout(resolve));
const afterPause = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 200));

/** A list, and what it asks a server for that answers when it is told to. */
function aList(): { list: PeopleList; asked: Asked[]; names: () => string[] } {
  const asked: Asked[] = [];
  const list = new PeopleList(
    ({ query, after }) =>
      new Promise<People>((resolve) => {
        const answer = async (names: readonly string[], next: string | null): Promise<void> => {
          resolve({ people: names.map(person), count: 99, after: next });
          await settled();
        };
        asked.push({ query, after, answer });
      }),
  );
  return { list, asked, names: () => list.people.map(({ name }) => name) };
}

test("the next page is that of the list which is shown", async () => {
  const { list, asked, names } = aList();
  void list.load(1);
  await asked[0]?.answer(["a"], "after a");
  void list.more();
  expect(asked[1]).toMatchObject({ query: "", after: "after a" });
  await asked[1]?.answer(["b"], "after b");
  expect(names()).toEqual(["a", "b"]);
});

test("while a search is written or asked for there is no next page", async () => {
  const { list, asked, names } = aList();
  void list.load(1);
  await asked[0]?.answer(["a"], "after a");
  list.search("kim");
  await list.more();
  expect(asked).toHaveLength(1);
  await afterPause();
  expect(asked[1]).toMatchObject({ query: "kim", after: null });
  expect(list.isLoading).toBe(true);
  await list.more();
  expect(asked).toHaveLength(2);
  await asked[1]?.answer(Array.from({ length: 50 }, (_, at) => `kim ${String(at)}`), "after kim");
  expect(list.isLoading).toBe(false);
  void list.more();
  expect(asked[2]).toMatchObject({ query: "kim", after: "after kim" });
  expect(names()[0]).toBe("kim 0");
});

test("a syllable that is only begun is not looked for", async () => {
  const { list, asked, names } = aList();
  void list.load(1);
  await asked[0]?.answer(["김민준"], null);
  list.search("ㄱ");
  await afterPause();
  expect(asked).toHaveLength(1);
  expect(names()).toEqual(["김민준"]);
  list.search("기");
  list.search("김");
  await afterPause();
  list.search("김ㅁ");
  await afterPause();
  expect(asked.map(({ query }) => query)).toEqual(["", "김"]);
});

test("a page of the list before is not put below what was searched for meanwhile", async () => {
  const { list, asked, names } = aList();
  void list.load(1);
  await asked[0]?.answer(["a"], "after a");
  void list.more();
  list.search("kim");
  await afterPause();
  await asked[1]?.answer(["b"], "after b");
  expect(list.isLoading).toBe(true);
  await asked[2]?.answer(["kim"], null);
  expect(names()).toEqual(["kim"]);
  expect([list.hasMore, list.isLoading]).toEqual([false, false]);
});
