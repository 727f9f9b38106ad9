/** Light, dark or as in the system; set on the root element before the first paint. */
import { readSaved, save } from "../lib/saved.ts";

export const themes = ["system", "light", "dark"] as const;
export type Theme = (typeof themes)[number];

class Appearance {
  theme = $state<Theme>(themes.find((theme) => theme === readSaved("theme")) ?? "system");

  apply(): void {
    if (this.theme === "system") delete document.documentElement.dataset["theme"];
    else document.documentElement.dataset["theme"] = this.theme;
  }

  choose(theme: Theme): void {
    this.theme = theme;
    save("theme", theme === "system" ? null : theme);
    this.apply();
  }
}

export const appearance = new Appearance();
