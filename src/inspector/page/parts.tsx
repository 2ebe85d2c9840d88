/** Small parts that several views share. */
import type { ComponentChildren } from "preact";
import { useEffect, useState } from "preact/hooks";
import type { RunState } from "../answers.js";
import { ago, exactTime, time, visible } from "./format.js";
import { signOf, statusClass } from "./status.js";

const STATES: Record<RunState, { sign: string; label: string }> = {
  failed: { sign: "✕", label: "failed" },
  pending: { sign: "●", label: "pending" },
  finished: { sign: "✓", label: "finished" },
  empty: { sign: "○", label: "no checkpoint" },
  unread: { sign: "…", label: "not read" },
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

export function StatusChip({ status }: { status: string }) {
  return (
    <span class={`chip ${statusClass(status)}`}>
      <span aria-hidden="true">{signOf(status)}</span> {visible(status)}
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

const MINUTE_MS = 60_000;

/** How long ago it was, also a minute later. */
export function Ago({ at }: { at: number }) {
  const [, setMinutes] = useState(0);
  useEffect(() => {
    const timer = setInterval(() => setMinutes((minutes) => minutes + 1), MINUTE_MS);
    return () => clearInterval(timer);
  }, []);
  return <span title={exactTime(at)}>{ago(at)}</span>;
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
