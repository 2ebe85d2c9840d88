/** A session and its relatives as a drawing: one line each, that begins where it was forked. The arrow keys walk in it. */
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import type { FamilyAnswer, FamilyMember } from "../answers.js";
import { useAnswer } from "./api.js";
import { count, titleOf, visible } from "./format.js";
import { Loading, Problem, StateChip } from "./parts.js";
import { go, hrefOf } from "./router.js";
import { useTitle } from "./session-view.js";

const ROW = 64;
const LINE = 44;

interface Branch {
  member: FamilyMember;
  depth: number;
  /** The row of the session that it was forked from. */
  parentRow: number | undefined;
}

export function FamilyView({ session }: { session: string }) {
  const { data, error } = useAnswer<FamilyAnswer>("family", { session });
  useTitle("Fork tree");
  return (
    <main class="family">
      <p class="quiet">
        <a href={hrefOf({ view: "session", session })}>Back to the session</a>
      </p>
      <h1>Fork tree</h1>
      <Problem error={error} />
      {data === undefined && error === undefined && <Loading />}
      {data !== undefined && <Tree answer={data} session={session} />}
    </main>
  );
}

function Tree({ answer, session }: { answer: FamilyAnswer; session: string }) {
  const branches = useMemo(() => branchesOf(answer.members), [answer]);
  const [focused, setFocused] = useState(session);
  const [base, setBase] = useState<string>();
  const frame = useRef<HTMLDivElement>(null);
  const focus = (id: string | undefined) => {
    if (id !== undefined) {
      setFocused(id);
      frame.current?.querySelector<HTMLElement>(`[data-session="${CSS.escape(id)}"]`)?.focus();
    }
  };
  useEffect(() => setFocused(session), [session]);
  const walk = (event: KeyboardEvent) => {
    const target = walkedTo(branches, focused, event.key);
    if (target !== undefined) {
      event.preventDefault();
      focus(target);
    } else if (event.key === "Enter") {
      go({ view: "session", session: focused });
    } else if (event.key === " ") {
      event.preventDefault();
      setBase(focused);
    }
  };
  const [from, to] = [
    branches.find(({ member }) => member.sessionId === base)?.member,
    branches.find(({ member }) => member.sessionId === focused)?.member,
  ];
  return (
    <>
      <p class="quiet">
        Arrow keys walk through the tree, Enter opens a session, Space marks one to compare with. A line is as
        long as its run has versions.
      </p>
      <div class="family-frame">
        <Lines branches={branches} focused={focused} />
        <div ref={frame} role="tree" aria-label="Sessions by fork" onKeyDown={walk}>
          {branches.map(({ member, depth }, row) => (
            <div
              key={member.sessionId}
              role="treeitem"
              data-session={member.sessionId}
              class={`branch${member.sessionId === session ? " current" : ""}${member.sessionId === base ? " marked" : ""}`}
              style={{ top: `${row * ROW}px` }}
              aria-level={depth + 1}
              aria-selected={member.sessionId === focused}
              tabIndex={member.sessionId === focused ? 0 : -1}
              onDblClick={() => go({ view: "session", session: member.sessionId })}
              onFocus={() => setFocused(member.sessionId)}
            >
              <span class="title" style={{ paddingLeft: `${Math.min(depth, 6) * 14}px` }}>
                {visible(titleOf({ id: member.sessionId, title: member.title }))}
              </span>
              <span class="quiet detail">
                <StateChip state={member.state} nodes={member.nodes} />
                {member.from !== undefined && <span>from v{member.from.version}</span>}
                <span>{count(member.checkpoints, "checkpoint")}</span>
              </span>
            </div>
          ))}
        </div>
        <div class="family-space" style={{ height: `${branches.length * ROW + 8}px` }} />
      </div>
      {answer.isCut && <p class="quiet">There are more relatives than are drawn.</p>}
      <div class="links">
        {to !== undefined && (
          <a class="button" href={hrefOf({ view: "session", session: to.sessionId })}>
            Open {visible(titleOf({ id: to.sessionId, title: to.title })).slice(0, 60)}
          </a>
        )}
        {comparable(from, to, branches)}
      </div>
    </>
  );
}

/** The ends of two sessions: the marked and the focused one, or one and its original or first fork. */
function comparable(
  marked: FamilyMember | undefined,
  focused: FamilyMember | undefined,
  branches: readonly Branch[],
) {
  const original =
    branches.find(({ member }) => member.sessionId === focused?.from?.sessionId)?.member ??
    branches.find(({ member }) => member.from?.sessionId === focused?.sessionId)?.member;
  const other = marked !== undefined && marked.sessionId !== focused?.sessionId ? marked : original;
  if (other?.latest === undefined || focused?.latest === undefined) {
    return null;
  }
  const rowOf = ({ sessionId }: FamilyMember) =>
    branches.findIndex(({ member }) => member.sessionId === sessionId);
  const isOriginal = rowOf(focused) < rowOf(other);
  const [before, after] = isOriginal ? [focused.latest, other.latest] : [other.latest, focused.latest];
  return (
    <a class="button" href={hrefOf({ view: "compare", before: before.id, after: after.id })}>
      Compare how it ended with {visible(titleOf({ id: other.sessionId, title: other.title })).slice(0, 60)}
    </a>
  );
}

function Lines({ branches, focused }: { branches: readonly Branch[]; focused: string }) {
  const most = Math.max(1, ...branches.map(({ member }) => member.latest?.version ?? 1));
  const x = (version: number) => 3 + (version / most) * 94;
  return (
    <svg class="family-lines" height={branches.length * ROW + 8} aria-hidden="true" focusable="false">
      {branches.map(({ member, parentRow }, row) => {
        const y = row * ROW + LINE;
        const start = x(member.from?.version ?? 0);
        const end = Math.max(start + 0.5, x(member.latest?.version ?? 0));
        const forked = branches.filter(({ member: fork }) => fork.from?.sessionId === member.sessionId);
        return (
          <g key={member.sessionId} class={member.sessionId === focused ? "focused" : ""}>
            {parentRow !== undefined && (
              <line
                class="branch-line"
                x1={`${start}%`}
                x2={`${start}%`}
                y1={parentRow * ROW + LINE}
                y2={y}
              />
            )}
            <line class={`member-line ${member.state}`} x1={`${start}%`} x2={`${end}%`} y1={y} y2={y} />
            <circle class="start" cx={`${start}%`} cy={y} r={4} />
            <circle class={`end ${member.state}`} cx={`${end}%`} cy={y} r={6} />
            {forked.map(({ member: fork }) => (
              <g key={fork.sessionId}>
                <circle class="fork-point" cx={`${x(fork.from?.version ?? 0)}%`} cy={y} r={5} />
                <text x={`${x(fork.from?.version ?? 0)}%`} y={y - 11} text-anchor="middle">
                  v{fork.from?.version}
                </text>
              </g>
            ))}
            <text x={`${end}%`} dx={-4} y={y - 11} text-anchor="end">
              v{member.latest?.version ?? "–"}
            </text>
          </g>
        );
      })}
    </svg>
  );
}

/** A fork stands below its original, after the forks that were made before it. */
export function branchesOf(members: readonly FamilyMember[]): Branch[] {
  const rows = new Map(members.map(({ sessionId }, row) => [sessionId, row]));
  const depths = new Map<string, number>();
  return members.map((member) => {
    const parent = member.from?.sessionId ?? "";
    const parentRow = rows.get(parent);
    const depth = parentRow === undefined ? 0 : (depths.get(parent) ?? 0) + 1;
    depths.set(member.sessionId, depth);
    return { member, depth, parentRow };
  });
}

/** Up and down: the next line. Left: what it was forked from. Right: its first fork. */
export function walkedTo(branches: readonly Branch[], from: string, key: string): string | undefined {
  const row = branches.findIndex(({ member }) => member.sessionId === from);
  const rows: Record<string, number | undefined> = {
    ArrowUp: row - 1,
    ArrowDown: row + 1,
    Home: 0,
    End: branches.length - 1,
    ArrowLeft: branches[row]?.parentRow,
    ArrowRight: branches.findIndex(({ parentRow }) => parentRow === row),
  };
  return branches[rows[key] ?? -1]?.member.sessionId;
}
