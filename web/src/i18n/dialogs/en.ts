/** English, for the dialogs of the page, which are fetched with the first of them. */
import { params } from "@nanostores/i18n";

export const settings = {
  label: "Settings",
  language: "Language",
  byBrowser: "Same as the browser",
  theme: "Appearance",
  system: "Same as the system",
  light: "Light",
  dark: "Dark",
  connectWhyTrial:
    "The model that came with daehwa is there so that you can try the page at once. It is very small, understands English only and makes many mistakes. For real answers, connect another one:",
  connectWhy: "daehwa passes your questions on to the models that you connect. To connect one, or one more:",
  connectOpenai: "OpenAI: set your key before you start daehwa",
  connectBaseUrl: "Anything that speaks OpenAI's protocol (Ollama, vLLM, LM Studio, OpenRouter and others): give its address",
  connectFile: "Several at once, or a model file of your own: write a daehwa.toml",
  connectAfter: "Then start daehwa again.",
  connectAws: "This daehwa runs on AWS. Whoever deployed it chooses the models, in the folder it was deployed from:",
  connectAwsKey: "Set or change the key of the models' provider",
  connectAwsModels: "Say which models are offered",
  connectAwsBaseUrl: "Another provider that speaks OpenAI's protocol: give its address",
  version: params("daehwa {version}"),
};

export const help = {
  label: "Keyboard shortcuts",
  fresh: "New conversation",
  search: "Search conversations",
  composer: "Go to the message box",
  stop: "Stop the answer",
  sidebar: "Show or hide conversations",
  print: "Print the whole conversation",
  help: "Show this list",
  enter: "Send",
  newline: "New line",
};
