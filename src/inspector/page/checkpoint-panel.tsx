/** A checkpoint: what failed, what changed in this step, what stayed, and how to go on from here in code. */
import { useState } from "preact/hooks";
import type { CheckpointAnswer, CheckpointNode, FileAnswer, ForkLink, RunCheckpoint } from "../answers.js";
import { ask, messageOf, useAnswer } from "./api.js";
import { bytes, duration, number, titleOf, visible } from "./format.js";
import { Card, CopyButton, Loading, Problem, StatusChip, Time } from "./parts.js";
import { go, hrefOf } from "./router.js";
import { isFailed } from "./status.js";
import { ValueTree } from "./value-tree.js";

interface Props {
  id: string;
  file: FileAnswer | undefined;
  /** In the order they were saved. */
  checkpoints: readonly RunCheckpoint[];
  /** Those that began here. */
  forks: readonly ForkLink[];
}

export function CheckpointPanel({ id, file, checkpoints, forks }: Props) {
  const { data, error } = useAnswer<CheckpointAnswer>("checkpoint", { id }, { isLive: false });
  const index = checkpoints.findIndex((checkpoint) => checkpoint.id === id);
  const inRun = checkpoints[index];
  const before =
    inRun && checkpoints.slice(0, index).findLast(({ namespace }) => namespace === inRun.namespace);
  if (data === undefined) {
    return (
      <Card title="Checkpoint">
        <Problem error={error} />
        {error === undefined && <Loading />}
      </Card>
    );
  }
  const changed = new Set(inRun?.changes.map(({ node }) => node));
  const failed = new Set(data.nodes.filter(isFailed).map(({ node }) => node));
  const fresh = data.nodes.filter(({ node }) => changed.has(node) || failed.has(node));
  const others = data.nodes.filter((node) => !fresh.includes(node));
  const back = inRun === undefined ? undefined : earlierVisitOf(inRun, checkpoints.slice(0, index));
  return (
    <Card
      title={`Checkpoint v${data.version}`}
      class="checkpoint"
      actions={
        <>
          <StepLink session={data.sessionId} to={checkpoints[index - 1]} label="Previous" sign="‹" />
          <StepLink
            session={data.sessionId}
            to={index < 0 ? undefined : checkpoints[index + 1]}
            label="Next"
            sign="›"
          />
        </>
      }
    >
      <Facts checkpoint={data} before={before} />
      <Problem error={data.unread} />
      {fresh.length > 0 && <h3>{data.source === "fork" ? "Copied by the fork" : "Changed in this step"}</h3>}
      {fresh.map((node) => (
        <NodeCard key={node.node} node={node} checkpoint={id} isOpen />
      ))}
      {others.length > 0 && <h3>As before</h3>}
      {others.map((node) => (
        <NodeCard key={node.node} node={node} checkpoint={id} isOpen={false} />
      ))}
      <Comparison id={id} checkpoints={checkpoints} before={before} earlier={back} />
      <Forks forks={forks} />
      <Code checkpoint={data} file={file} />
      {file?.forkToken !== undefined && <ForkButton id={id} token={file.forkToken} />}
    </Card>
  );
}

function StepLink({
  session,
  to,
  label,
  sign,
}: {
  session: string;
  to: RunCheckpoint | undefined;
  label: string;
  sign: string;
}) {
  return (
    <button
      type="button"
      class="small"
      aria-label={`${label} checkpoint`}
      disabled={to === undefined}
      onClick={() => to && go({ view: "session", session, checkpoint: to.id })}
    >
      {sign}
    </button>
  );
}

function Facts({ checkpoint, before }: { checkpoint: CheckpointAnswer; before: RunCheckpoint | undefined }) {
  const { namespace, step, source, createdAt, pending, cycle, parentId } = checkpoint;
  const isBack = cycle !== undefined && cycle.iteration !== (before?.cycle?.iteration ?? 0);
  return (
    <dl class="facts">
      <Fact name="Saved">
        <Time at={createdAt} />
      </Fact>
      <Fact name="Step">{number(step)}</Fact>
      {source !== null && <Fact name="Source">{visible(source)}</Fact>}
      {namespace !== "" && <Fact name="Namespace">{visible(namespace)}</Fact>}
      {cycle !== undefined && (
        <Fact name="Loop">
          {isBack && <strong>went back: </strong>}
          <code>{visible(cycle.backEdge)}</code>, iteration {number(cycle.iteration)}
        </Fact>
      )}
      <Fact name="Next">{pending.length === 0 ? "nothing is pending" : visible(pending.join(", "))}</Fact>
      {parentId !== undefined && (
        <Fact name="Parent">
          <code>{visible(parentId)}</code>
        </Fact>
      )}
    </dl>
  );
}

function Fact({ name, children }: { name: string; children: preact.ComponentChildren }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}

export function NodeCard({
  node,
  checkpoint,
  isOpen,
}: {
  node: CheckpointNode;
  checkpoint: string;
  isOpen: boolean;
}) {
  const { status, startedAt, completedAt, error, output, outputBytes, unread } = node;
  return (
    <details class="node" open={isOpen}>
      <summary>
        <span class="name">{visible(node.node)}</span> <StatusChip status={status} />
        {startedAt !== undefined && completedAt !== undefined && (
          <span class="quiet">{duration(completedAt - startedAt)}</span>
        )}
        {outputBytes !== undefined && <span class="quiet">{bytes(outputBytes)}</span>}
      </summary>
      {error !== undefined && (
        <pre class="error">
          {visible(error.text)}
          {error.size > error.text.length && `\n… cut here; it has ${number(error.size)} characters`}
        </pre>
      )}
      <Problem error={unread} />
      {output !== undefined && (
        <div class="output">
          <ValueTree value={output} source={{ checkpoint, node: node.node }} />
          <CopyButton label="Copy as JSON" text={() => jsonOf(checkpoint, node.node)} />
        </div>
      )}
      {output === undefined && error === undefined && unread === undefined && <p class="quiet">No output.</p>}
    </details>
  );
}

async function jsonOf(checkpoint: string, node: string): Promise<string> {
  return (await ask<{ json: string }>("json", { checkpoint, node })).json;
}

/** The last checkpoint before, in which a node of this step had finished too: the iteration before. */
function earlierVisitOf(
  { namespace, source, changes }: RunCheckpoint,
  earlier: readonly RunCheckpoint[],
): EarlierVisit | undefined {
  const nodes = new Set(source === "fork" ? [] : changes.map(({ node }) => node));
  const checkpoint = earlier.findLast(
    (candidate) =>
      candidate.namespace === namespace &&
      candidate.source !== "fork" &&
      candidate.changes.some(({ node }) => nodes.has(node)),
  );
  const node = checkpoint?.changes.find((change) => nodes.has(change.node))?.node;
  return checkpoint === undefined || node === undefined ? undefined : { checkpoint, node };
}

interface EarlierVisit {
  checkpoint: RunCheckpoint;
  node: string;
}

function Forks({ forks }: { forks: readonly ForkLink[] }) {
  return forks.length === 0 ? null : (
    <p class="fork-links">
      Forked from here:{" "}
      {forks.map((fork) => (
        <a key={fork.sessionId} href={hrefOf({ view: "session", session: fork.sessionId })}>
          {visible(titleOf({ id: fork.sessionId, title: fork.title }))}
        </a>
      ))}
    </p>
  );
}

/** Around the checkpoint; the view of differences has all. */
const MOST_CHOICES = 100;

function Comparison({
  id,
  checkpoints,
  before,
  earlier,
}: {
  id: string;
  checkpoints: readonly RunCheckpoint[];
  before: RunCheckpoint | undefined;
  earlier: EarlierVisit | undefined;
}) {
  if (checkpoints.length < 2) {
    return null;
  }
  const at = checkpoints.findIndex((checkpoint) => checkpoint.id === id);
  const first = Math.max(0, Math.min(at - MOST_CHOICES / 2, checkpoints.length - MOST_CHOICES));
  const choices = checkpoints.slice(first, first + MOST_CHOICES).reverse();
  return (
    <div class="compare-with">
      {before !== undefined && (
        <a class="button" href={hrefOf({ view: "compare", before: before.id, after: id })}>
          Compare with v{before.version}, the one before
        </a>
      )}
      {earlier !== undefined && earlier.checkpoint.id !== before?.id && (
        <a class="button" href={hrefOf({ view: "compare", before: earlier.checkpoint.id, after: id })}>
          Compare with v{earlier.checkpoint.version}, when {visible(earlier.node)} ran before
        </a>
      )}
      <label>
        <span class="quiet">or with</span>{" "}
        <select
          value=""
          onChange={(event) => go({ view: "compare", before: event.currentTarget.value, after: id })}
        >
          <option value="" disabled>
            another checkpoint…
          </option>
          {choices.map((checkpoint) => (
            <option key={checkpoint.id} value={checkpoint.id} disabled={checkpoint.id === id}>
              {nameOf(checkpoint)}
            </option>
          ))}
        </select>
      </label>
    </div>
  );
}

export function nameOf({ version, namespace, changes }: RunCheckpoint): string {
  const place = namespace === "" ? "" : ` in ${visible(namespace)}`;
  return `v${version}${place}: ${visible(changes.map(({ node }) => node).join(", ")).slice(0, 60)}`;
}

function Code({ checkpoint, file }: { checkpoint: CheckpointAnswer; file: FileAnswer | undefined }) {
  const id = JSON.stringify(checkpoint.id);
  const open = `const store = new SqliteCheckpointStore(${JSON.stringify(file?.path ?? "./runs.db")});`;
  const resume = `${open}\nconst checkpoint = await store.getCheckpoint(${id});\nawait run(graph, { input, checkpointStore: store, sessionId: checkpoint.sessionId, resumeFrom: checkpoint });`;
  const fork = `${open}\nconst session = await store.fork(${id});\nconst checkpoint = await store.getLatestCheckpoint(session.id);`;
  return (
    <details class="code">
      <summary>Go on from here in code</summary>
      <Snippet title="Resume" code={resume} />
      <Snippet title="Fork" code={fork} />
    </details>
  );
}

function Snippet({ title, code }: { title: string; code: string }) {
  return (
    <div class="snippet">
      <p>
        <strong>{title}</strong> <CopyButton label="Copy" text={code} />
      </p>
      <pre>{visible(code)}</pre>
    </div>
  );
}

function ForkButton({ id, token }: { id: string; token: string }) {
  const [problem, setProblem] = useState<string>();
  const fork = () =>
    ask<{ sessionId: string }>("fork", { id }, { method: "POST", headers: { "x-fork-token": token } }).then(
      ({ sessionId }) => go({ view: "session", session: sessionId }),
      (error: unknown) => setProblem(messageOf(error)),
    );
  return (
    <p>
      <button type="button" onClick={fork}>
        Fork from here
      </button>{" "}
      <span class="quiet">writes a new session into the file</span>
      <Problem error={problem} />
    </p>
  );
}
