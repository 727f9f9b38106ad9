/** The page's entry: theme and language before the first paint, the first questions to the server, then the page. */
import { mount } from "svelte";
import { onReach } from "./api/client.ts";
import { locale } from "./i18n/locale.ts";
import { connection } from "./lib/connection.svelte.ts";
import Root from "./Root.svelte";
import { appearance } from "./settings/theme.svelte.ts";
import { models } from "./settings/models.svelte.ts";
import { identity } from "./sign-in/identity.svelte.ts";
import { conversations } from "./sidebar/list.svelte.ts";
import "./styles/tokens.css";
import "./styles/base.css";
import "./lib/screen.css";
import "./styles/messages.css";
import "./markdown/markdown.css";

appearance.apply();
document.documentElement.lang = locale.get();
onReach((reached) => (reached ? connection.succeeded() : connection.failed()));
identity.begin(() => {
  void models.load();
  void conversations.refresh();
});

const page = document.getElementById("page");
if (page) mount(Root, { target: page });
