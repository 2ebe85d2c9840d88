/** Small parts that several views share. */
import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";
import type { RunState } from "../answers.js";
import { exactTime, time, visible } from "./format.js";

const STATES: Record<RunState, { sign: string; label: string }> = {
  failed: { sign: "✕", label: "failed" },
  pending: { sign: "●", label: "pending" },
  finished: { sign: "✓", label: "finished" },
  empty: { sign: "○", label: "no checkpoint" },
  unread: { sign: "…", label: "large" },
};

export function StateChip({ state, nodes }: { state: RunState; nodes: readonly string[] }) {
  const { sign, label } = STATES[state];
  return (
    <span class={`chip ${state}`}>
      <span aria-hidden="true">{sign}</span> {label}
      {nodes.length > 0 && `: ${visible(nodes.join(", ")).slice(0, 80)}`}
    </span>
  );
}

const SIGNS: Record<string, string> = {
  completed: "✓",
  complete: "✓",
  failed: "✕",
  skipped: "–",
  running: "▸",
  pending: "○",
};

export function statusClass(status: string): string {
  const name = status.toLowerCase();
  return name === "complete" ? "completed" : name in SIGNS ? name : "unknown";
}

export function StatusChip({ status }: { status: string }) {
  const name = statusClass(status);
  return (
    <span class={`chip ${name}`}>
      <span aria-hidden="true">{SIGNS[name] ?? "?"}</span> {visible(status)}
    </span>
  );
}

export function Time({ at }: { at: number }) {
  return (
    <time dateTime={exactTime(at)} title={exactTime(at)}>
      {time(at)}
    </time>
  );
}

export function Problem({ error }: { error: string | undefined }) {
  return error === undefined ? null : (
    <p class="problem" role="alert">
      {visible(error)}
    </p>
  );
}

export function Loading() {
  return <p class="quiet loading">Reading…</p>;
}

/** Says for two seconds whether the text was copied. */
export function CopyButton({ text, label }: { text: string | (() => Promise<string>); label: string }) {
  const [outcome, setOutcome] = useState("");
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(typeof text === "string" ? text : await text());
      setOutcome("Copied");
    } catch (error) {
      setOutcome(
        error instanceof Error && error.name !== "NotAllowedError"
          ? error.message
          : "Not allowed by the browser",
      );
    }
    setTimeout(() => setOutcome(""), 2_000);
  };
  return (
    <button type="button" class="small" onClick={copy}>
      <span aria-live="polite">{outcome === "" ? label : outcome}</span>
    </button>
  );
}

export function Card({
  title,
  actions,
  children,
  class: name = "",
}: {
  title: string;
  actions?: ComponentChildren;
  children: ComponentChildren;
  class?: string;
}) {
  return (
    <section class={`card ${name}`} aria-label={title}>
      <header class="card-head">
        <h2>{title}</h2>
        <div class="actions">{actions}</div>
      </header>
      {children}
    </section>
  );
}
