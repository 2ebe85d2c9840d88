/** All sessions, newest first. Only the rows in sight are there, and only their pages are kept. */
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import type { FileAnswer, SessionItem, SessionsAnswer } from "../answers.js";
import { ask, messageOf, useChanges } from "./api.js";
import { count, number, size, titleOf, visible } from "./format.js";
import { Ago, Problem, StateChip } from "./parts.js";
import { hrefOf } from "./router.js";

const PAGE = 50;
const MOST_PAGES = 24;
const MARGIN = 6;

/** What is scrolled past in less is not asked for. */
const SCROLL_PAUSE_MS = 30;

/** Browsers give up on elements that are higher than some ten million pixels. */
const MOST_ROWS = 120_000;

interface Filter {
  search: string;
  workspace: string;
  state: string;
}

const EVERY: Filter = { search: "", workspace: "*", state: "" };

let lastFilter = EVERY;

export function SessionsView({ file }: { file: FileAnswer | undefined }) {
  const [filter, setFilter] = useState(lastFilter);
  const change = (changed: Partial<Filter>) => {
    lastFilter = { ...filter, ...changed };
    setFilter(lastFilter);
  };
  return (
    <main class="sessions">
      <h1>Sessions</h1>
      <search class="filters">
        <label class="grow">
          <span class="quiet">Search</span>
          <input
            type="search"
            placeholder="Title, id, directory or workspace"
            value={filter.search}
            onInput={(event) => change({ search: event.currentTarget.value })}
          />
        </label>
        <label>
          <span class="quiet">Workspace</span>
          <select
            value={filter.workspace}
            onChange={(event) => change({ workspace: event.currentTarget.value })}
          >
            <option value="*">Every workspace</option>
            {(file?.workspaces ?? []).map(({ id, sessions }) => (
              <option key={id} value={id === null ? "-" : `=${id}`}>
                {id === null ? "None" : visible(id)} ({number(sessions)})
              </option>
            ))}
          </select>
        </label>
        <label>
          <span class="quiet">State</span>
          <select value={filter.state} onChange={(event) => change({ state: event.currentTarget.value })}>
            <option value="">Any state</option>
            <option value="failed">Failed</option>
            <option value="pending">Pending</option>
          </select>
        </label>
      </search>
      <SessionRows filter={filter} />
    </main>
  );
}

function SessionRows({ filter }: { filter: Filter }) {
  const query = useMemo(() => parametersOf(filter), [filter]);
  const list = usePages(query);
  const frame = useRef<HTMLUListElement>(null);
  const [top, setTop] = useState(0);
  const rowHeight = matchMedia("(max-width: 1100px)").matches ? 92 : 60;
  const rows = Math.min(list.total ?? 0, MOST_ROWS);
  const inSight = Math.ceil((frame.current?.clientHeight ?? 800) / rowHeight);
  const first = Math.max(0, Math.floor(top / rowHeight) - MARGIN);
  const last = Math.min(rows, first + inSight + 2 * MARGIN);
  useEffect(() => list.show(first, Math.max(last, 1)), [list.show, first, last]);

  const walk = (event: KeyboardEvent) => {
    const step = { ArrowDown: 1, ArrowUp: -1, PageDown: inSight, PageUp: -inSight }[event.key];
    const at = Number(document.activeElement?.getAttribute("data-row") ?? Number.NaN);
    if (step === undefined || Number.isNaN(at) || frame.current === null) {
      return;
    }
    event.preventDefault();
    const target = Math.max(0, Math.min(rows - 1, at + step));
    const y = target * rowHeight;
    if (y < frame.current.scrollTop || y + rowHeight > frame.current.scrollTop + frame.current.clientHeight) {
      frame.current.scrollTop = step > 0 ? y - frame.current.clientHeight + rowHeight : y;
    }
    requestAnimationFrame(() =>
      requestAnimationFrame(() =>
        frame.current?.querySelector<HTMLElement>(`[data-row="${target}"]`)?.focus(),
      ),
    );
  };
  return (
    <>
      <p class="quiet" aria-live="polite">
        {list.total === undefined
          ? "Reading…"
          : `${number(list.total)} ${list.total === 1 ? "session" : "sessions"}`}
        {list.lookedAt !== undefined &&
          ` among the newest ${number(list.lookedAt)}: narrow the search to look further back`}
        {(list.total ?? 0) > MOST_ROWS &&
          `, of which the newest ${number(MOST_ROWS)} can be scrolled to: search for others`}
      </p>
      <Problem error={list.error} />
      {list.total === 0 && (
        <p class="empty">
          {filter === EVERY
            ? "No session was saved yet. This page shows the first one as soon as it is there."
            : "No session matches."}
        </p>
      )}
      <ul
        ref={frame}
        class={`rows${rows === 0 ? " none" : ""}`}
        style={{ "--height": `${rows * rowHeight}px` }}
        aria-label="Sessions, newest first"
        onScroll={(event) => setTop(event.currentTarget.scrollTop)}
        onKeyDown={walk}
      >
        {Array.from({ length: Math.max(0, last - first) }, (_, index) => {
          const row = first + index;
          return (
            <li
              key={row}
              class="row"
              style={{ top: `${row * rowHeight}px`, height: `${rowHeight}px` }}
              aria-setsize={rows}
              aria-posinset={row + 1}
            >
              <SessionRow item={list.at(row)} row={row} />
            </li>
          );
        })}
      </ul>
    </>
  );
}

function SessionRow({ item, row }: { item: SessionItem | undefined; row: number }) {
  if (item === undefined) {
    return <span class="session-row quiet">…</span>;
  }
  return (
    <a class="session-row" data-row={row} href={hrefOf({ view: "session", session: item.id })}>
      <span class="named">
        <span class="title">{visible(titleOf(item))}</span>
        <span class="quiet place">
          {item.workspaceId !== null && <span class="workspace">{visible(item.workspaceId)}</span>}
          <span>{visible(item.directory)}</span>
        </span>
      </span>
      <StateChip state={item.state} nodes={item.nodes} />
      <span class="quiet detail">
        <span>{count(item.checkpoints, "checkpoint")}</span>
        <span>{count(item.messages, "message")}</span>
        <span>{size(item.bytes)}</span>
        <Ago at={item.updatedAt} />
      </span>
    </a>
  );
}

type Query = Record<string, string | undefined>;

function parametersOf({ search, workspace, state }: Filter): Query {
  return {
    search: search === "" ? undefined : search,
    state: state === "" ? undefined : state,
    workspace: workspace.startsWith("=") ? workspace.slice(1) : undefined,
    noWorkspace: workspace === "-" ? "1" : undefined,
  };
}

interface LoadedPage {
  items: readonly SessionItem[];
  /** How often the file had changed when it was asked for. */
  changes: number;
}

interface Pages {
  query: Query;
  total?: number;
  lookedAt?: number;
  items: ReadonlyMap<number, LoadedPage>;
}

/** The pages around what is in sight; others are forgotten, so memory does not grow with scrolling. */
function usePages(query: Query) {
  const [pages, setPages] = useState<Pages>({ query, items: new Map() });
  const [error, setError] = useState<string>();
  const [range, setRange] = useState<readonly [number, number]>([0, 1]);
  const { changes, took } = useChanges();
  const known = pages.query === query ? pages : undefined;
  const [from, to] = range;
  useEffect(() => {
    const controller = new AbortController();
    const wanted = pagesIn(from, to).filter((page) => known?.items.get(page)?.changes !== changes);
    const load = async () => {
      for (const page of wanted) {
        const began = performance.now();
        const answer = await ask<SessionsAnswer>(
          "sessions",
          { ...query, offset: page * PAGE, limit: PAGE },
          { signal: controller.signal },
        );
        took(performance.now() - began);
        setPages((last) => withPage(last, query, page, answer, changes));
        setError(undefined);
      }
    };
    const timer = setTimeout(
      () => {
        load().catch((problem: unknown) => {
          if (!controller.signal.aborted) {
            setError(messageOf(problem));
          }
        });
      },
      known === undefined ? 0 : SCROLL_PAUSE_MS,
    );
    return () => {
      clearTimeout(timer);
      controller.abort();
    };
  }, [query, changes, pagesIn(from, to).join()]);
  const [show] = useState(() => (first: number, last: number) => setRange([first, last]));
  return {
    total: known?.total,
    lookedAt: known?.lookedAt,
    error,
    show,
    at: (row: number) => known?.items.get(Math.floor(row / PAGE))?.items[row % PAGE],
  };
}

function pagesIn(from: number, to: number): number[] {
  const [first, last] = [Math.floor(from / PAGE), Math.floor(Math.max(from, to - 1) / PAGE)];
  return Array.from({ length: last - first + 1 }, (_, index) => first + index);
}

function withPage(last: Pages, query: Query, page: number, answer: SessionsAnswer, changes: number): Pages {
  const items = new Map(last.query === query ? last.items : []);
  items.delete(page);
  items.set(page, { items: answer.items, changes });
  for (const oldest of [...items.keys()].slice(0, -MOST_PAGES)) {
    items.delete(oldest);
  }
  return {
    query,
    items,
    total: answer.total,
    ...(answer.lookedAt === undefined ? {} : { lookedAt: answer.lookedAt }),
  };
}
