/** The differences between two checkpoints, of one session or of two. */
import type {
  CheckpointPlace,
  ComparisonAnswer,
  Difference,
  FamilyAnswer,
  NodeDifference,
  RunAnswer,
  ValueNode,
} from "../answers.js";
import { useAnswer } from "./api.js";
import { NodeCard, nameOf } from "./checkpoint-panel.js";
import { duration, titleOf, visible } from "./format.js";
import { Card, Loading, Problem, StatusChip, Time } from "./parts.js";
import { go, hrefOf } from "./router.js";
import { useTitle } from "./session-view.js";
import { statusClass } from "./status.js";
import { ValueTree } from "./value-tree.js";
import { wordDifference } from "./words.js";

function headingOf({ kind, after }: NodeDifference): string {
  switch (kind) {
    case "changed":
      return "Changed";
    case "removed":
      return "Only before";
    case "same":
      return "The same";
    case "finished":
      switch (after && statusClass(after.status)) {
        case "completed":
          return "Only after: finished in between";
        case "failed":
          return "Only after: failed in between";
        default:
          return "Only after";
      }
  }
}

export function CompareView({ before, after }: { before: string; after: string }) {
  const { data, error } = useAnswer<ComparisonAnswer>("compare", { before, after }, { isLive: false });
  useTitle("Differences");
  if (data === undefined) {
    return (
      <main>
        <h1>Differences</h1>
        <Problem error={error} />
        {error === undefined && <Loading />}
      </main>
    );
  }
  const groups = new Map<string, NodeDifference[]>();
  for (const node of data.nodes) {
    const heading = headingOf(node);
    groups.set(heading, [...(groups.get(heading) ?? []), node]);
  }
  return (
    <main class="compare">
      <h1>Differences</h1>
      <div class="sides">
        <Side
          label="Before"
          place={data.before}
          onChoose={(id) => go({ view: "compare", before: id, after })}
        />
        <button
          type="button"
          class="swap"
          aria-label="Swap before and after"
          onClick={() => go({ view: "compare", before: after, after: before })}
        >
          ⇄
        </button>
        <Side
          label="After"
          place={data.after}
          onChoose={(id) => go({ view: "compare", before, after: id })}
        />
      </div>
      <Pending before={data.pendingBefore} after={data.pendingAfter} />
      {data.nodes.every(({ kind }) => kind === "same") && (
        <p class="empty">Every node is the same in both.</p>
      )}
      {[...groups].map(([heading, nodes]) => (
        <Card key={heading} title={heading} class={`kind-${nodes[0]?.kind}`}>
          {nodes[0]?.kind === "same" ? (
            <p>{visible(nodes.map(({ node }) => node).join(", "))}</p>
          ) : (
            nodes.map((node) => <NodeSides key={node.node} difference={node} before={before} after={after} />)
          )}
        </Card>
      ))}
    </main>
  );
}

function Side({
  label,
  place,
  onChoose,
}: {
  label: string;
  place: CheckpointPlace;
  onChoose: (id: string) => void;
}) {
  const { data } = useAnswer<RunAnswer>("run", { session: place.sessionId }, { isLive: false });
  const family = useAnswer<FamilyAnswer>("family", { session: place.sessionId }, { isLive: false }).data;
  const checkpoints = (data?.checkpoints ?? []).toReversed();
  // An answer has the newest 1,000.
  const isListed = checkpoints.some(({ id }) => id === place.id);
  const relatives = (family?.members ?? []).filter(({ latest }) => latest !== undefined);
  return (
    <section class="side card" aria-label={label}>
      <h2>
        {label}: v{place.version}
      </h2>
      <p>
        <a href={hrefOf({ view: "session", session: place.sessionId, checkpoint: place.id })}>
          {visible(titleOf({ id: place.sessionId, title: place.title }))}
        </a>{" "}
        <span class="quiet">
          <Time at={place.createdAt} />
        </span>
      </p>
      {relatives.length > 1 && (
        <label>
          <span class="quiet">Session</span>
          <select
            value={place.sessionId}
            onChange={(event) => {
              const chosen = relatives.find(({ sessionId }) => sessionId === event.currentTarget.value);
              onChoose(chosen?.latest?.id ?? place.id);
            }}
          >
            {relatives.map(({ sessionId, title }) => (
              <option key={sessionId} value={sessionId}>
                {visible(titleOf({ id: sessionId, title }))}
              </option>
            ))}
          </select>
        </label>
      )}
      <label>
        <span class="quiet">Checkpoint</span>
        <select value={place.id} onChange={(event) => onChoose(event.currentTarget.value)}>
          {checkpoints.map((checkpoint) => (
            <option key={checkpoint.id} value={checkpoint.id}>
              {nameOf(checkpoint)}
            </option>
          ))}
          {!isListed && (
            <option value={place.id}>
              v{place.version}
              {place.namespace !== "" && ` in ${visible(place.namespace)}`}
            </option>
          )}
        </select>
      </label>
    </section>
  );
}

function Pending({ before, after }: { before: readonly string[]; after: readonly string[] }) {
  const text = (nodes: readonly string[]) => (nodes.length === 0 ? "nothing" : visible(nodes.join(", ")));
  return text(before) === text(after) ? null : (
    <p class="pending-line">
      Pending: <del>{text(before)}</del> <span aria-hidden="true">→</span> <ins>{text(after)}</ins>
    </p>
  );
}

function NodeSides({
  difference,
  before,
  after,
}: {
  difference: NodeDifference;
  before: string;
  after: string;
}) {
  const { kind, node, differences, isCut } = difference;
  const unread = difference.before?.unread ?? difference.after?.unread;
  if (kind === "finished" && difference.after !== undefined) {
    return <NodeCard node={difference.after} checkpoint={after} isOpen />;
  }
  if (kind === "removed" && difference.before !== undefined) {
    return <NodeCard node={difference.before} checkpoint={before} isOpen />;
  }
  return (
    <section class="node-difference" aria-label={node}>
      <h3>{visible(node)}</h3>
      <Visits difference={difference} />
      {differences.length > 0 && <DifferenceTable differences={differences} />}
      <Problem error={unread} />
      {differences.length === 0 && unread === undefined && (
        <p class="quiet">The output is the same{ranAgain(difference) && "; the node ran again"}.</p>
      )}
      {isCut && <p class="quiet">There are more differences than these.</p>}
    </section>
  );
}

function ranAgain({ before, after }: NodeDifference): boolean {
  return after?.startedAt !== undefined && before?.startedAt !== after.startedAt;
}

function Visits({ difference: { before, after } }: { difference: NodeDifference }) {
  const took = (visit: NodeDifference["before"]) =>
    visit?.startedAt === undefined || visit.completedAt === undefined
      ? ""
      : duration(visit.completedAt - visit.startedAt);
  const [old, now] = [took(before), took(after)];
  return (
    <p class="quiet">
      {before?.status !== after?.status && (
        <>
          <StatusChip status={before?.status ?? "absent"} /> →{" "}
          <StatusChip status={after?.status ?? "absent"} />{" "}
        </>
      )}
      {(old !== "" || now !== "") && `took ${old} → ${now}`}
      {before?.error?.text !== after?.error?.text && (
        <span class="error-line">
          {" "}
          {visible(before?.error?.text ?? "no error")} → {visible(after?.error?.text ?? "no error")}
        </span>
      )}
    </p>
  );
}

function DifferenceTable({ differences }: { differences: readonly Difference[] }) {
  return (
    <div class="table-frame">
      <table class="differences">
        <thead>
          <tr>
            <th scope="col">Where</th>
            <th scope="col">Before</th>
            <th scope="col">After</th>
          </tr>
        </thead>
        <tbody>
          {differences.map((difference) => (
            <tr key={difference.path + difference.kind}>
              <th scope="row">
                <code>{visible(difference.path)}</code> <span class="quiet">{difference.kind}</span>
              </th>
              <Values difference={difference} />
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function Values({ difference: { before, after } }: { difference: Difference }) {
  const isText = before?.type === "string" && after?.type === "string";
  if (isText) {
    const words = wordDifference(before.text ?? "", after.text ?? "");
    return (
      <>
        <td>
          {words
            .filter(({ kind }) => kind !== "added")
            .map(({ kind, text }, index) =>
              kind === "removed" ? <del key={index}>{visible(text)}</del> : visible(text),
            )}
        </td>
        <td>
          {words
            .filter(({ kind }) => kind !== "removed")
            .map(({ kind, text }, index) =>
              kind === "added" ? <ins key={index}>{visible(text)}</ins> : visible(text),
            )}
        </td>
      </>
    );
  }
  return (
    <>
      <td>{shown(before, "del")}</td>
      <td>{shown(after, "ins")}</td>
    </>
  );
}

function shown(value: ValueNode | undefined, kind: "del" | "ins") {
  if (value === undefined) {
    return <span class="quiet">absent</span>;
  }
  const tree = <ValueTree value={value} />;
  return kind === "del" ? <div class="del">{tree}</div> : <div class="ins">{tree}</div>;
}
