/** Stacked bars, drawn by Chart.js; only what these need of it. Fetched after the numbers are on the screen. */
import { BarController, BarElement, CategoryScale, Chart, LinearScale, Tooltip, type ChartConfiguration } from "chart.js";

Chart.register(BarController, BarElement, CategoryScale, LinearScale, Tooltip);

export interface Bars {
  /** One name a day. */
  readonly labels: readonly string[];
  readonly series: readonly { readonly name: string; readonly color: string; readonly values: readonly number[] }[];
  /** A value on the axis, and in full. */
  readonly short: (value: number) => string;
  readonly full: (value: number) => string;
  readonly total: string;
}

/** The colours and the font of the page as they are now; a canvas knows no custom properties. */
function inkOf(canvas: HTMLCanvasElement): { ink: string; soft: string; line: string; raised: string; font: string } {
  const probe = canvas.ownerDocument.createElement("span");
  canvas.before(probe);
  const read = (name: string): string => {
    probe.style.color = `var(--${name})`;
    return getComputedStyle(probe).color;
  };
  const found = { ink: read("ink"), soft: read("soft"), line: read("line"), raised: read("raised"), font: getComputedStyle(probe).fontFamily };
  probe.remove();
  return found;
}

export function drawBars(canvas: HTMLCanvasElement, bars: Bars): Chart {
  return new Chart(canvas, configOf(bars, inkOf(canvas)));
}

function configOf(bars: Bars, look: ReturnType<typeof inkOf>): ChartConfiguration<"bar"> {
  const font = { family: look.font, size: 12 };
  return {
    type: "bar",
    data: {
      labels: [...bars.labels],
      datasets: bars.series.map(({ name, color, values }) => ({
        label: name,
        data: [...values],
        backgroundColor: color,
        hoverBackgroundColor: color,
        borderColor: color,
        borderWidth: 0,
        maxBarThickness: 28,
        categoryPercentage: 0.8,
        barPercentage: 0.95,
        borderRadius: 1,
      })),
    },
    options: {
      animation: false,
      maintainAspectRatio: false,
      interaction: { mode: "index", intersect: false },
      scales: {
        x: {
          stacked: true,
          grid: { display: false },
          border: { color: look.line },
          ticks: { color: look.soft, font, maxRotation: 0, autoSkipPadding: 16 },
        },
        y: {
          stacked: true,
          beginAtZero: true,
          grid: { color: look.line },
          border: { display: false },
          ticks: { color: look.soft, font, maxTicksLimit: 5, callback: (value) => bars.short(Number(value)) },
        },
      },
      plugins: {
        tooltip: {
          backgroundColor: look.raised,
          titleColor: look.ink,
          bodyColor: look.ink,
          footerColor: look.ink,
          borderColor: look.line,
          borderWidth: 1,
          padding: 10,
          boxPadding: 4,
          boxWidth: 10,
          boxHeight: 10,
          multiKeyBackground: "transparent",
          titleFont: { ...font, weight: 600 },
          bodyFont: font,
          footerFont: { ...font, weight: 600 },
          filter: ({ raw }) => Number(raw) > 0,
          callbacks: {
            label: ({ dataset, raw }) => ` ${dataset.label ?? ""}: ${bars.full(Number(raw))}`,
            footer: (items) =>
              items.length > 1 ? `${bars.total}: ${bars.full(items.reduce((sum, { raw }) => sum + Number(raw), 0))}` : "",
          },
        },
      },
    },
  };
}

/** Show a day's numbers as if the pointer were on it; null: none. */
export function point(chart: Chart, day: number | null): void {
  const active = day === null ? [] : chart.data.datasets.map((_, datasetIndex) => ({ datasetIndex, index: day }));
  chart.setActiveElements(active);
  chart.tooltip?.setActiveElements(active, { x: 0, y: 0 });
  chart.update("none");
}
