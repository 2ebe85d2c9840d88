/** A session: the run as a picture, the selected checkpoint, its steps in words, and the conversation. */
import { useEffect, useMemo, useState } from "preact/hooks";
import type { FileAnswer, NodeChange, RunAnswer, RunCheckpoint } from "../answers.js";
import { ask, messageOf, useChanges } from "./api.js";
import { CheckpointPanel } from "./checkpoint-panel.js";
import { Conversation } from "./conversation.js";
import { bytes, count, duration, size, titleOf, visible } from "./format.js";
import { type Mark, pictureOf } from "./lanes.js";
import { continuedRun, withEarlierCheckpoints } from "./merge.js";
import { Ago, Card, CopyButton, Loading, Problem, StateChip } from "./parts.js";
import { RunPicture } from "./picture.js";
import { go, hrefOf } from "./router.js";
import { isFailed } from "./status.js";
import { ValueTree } from "./value-tree.js";

const NO_RUN = { checkpoints: [], forks: [] };

export function SessionView({
  session,
  checkpoint,
  file,
}: {
  session: string;
  checkpoint: string | undefined;
  file: FileAnswer | undefined;
}) {
  const { run, error, loadEarlier, isAsking } = useRun(session);
  const latest = run?.latestId;
  const selected = checkpoint ?? failedOf(run) ?? latest;
  const select = (id: string) => go({ view: "session", session, checkpoint: id }, { replace: true });
  const picture = useMemo(() => pictureOf(run ?? NO_RUN), [run]);
  useTitle(run === undefined ? undefined : titleOf(run.session));
  if (run === undefined) {
    return (
      <main>
        <p class="quiet">
          <a href={hrefOf({ view: "sessions" })}>Sessions</a> / {visible(session)}
        </p>
        <h1>Session</h1>
        <Problem error={error} />
        {error === undefined && <Loading />}
      </main>
    );
  }
  const { marks } = picture;
  const selectedMark = marks.find((mark) => mark.checkpoint.id === selected);
  return (
    <main class="session">
      <Head run={run} />
      <Problem error={error} />
      {run.checkpoints.length > 0 && (
        <Card
          title="Run"
          class="run"
          actions={
            run.hasEarlier && (
              <button type="button" class="small" disabled={isAsking} onClick={loadEarlier}>
                Earlier checkpoints
              </button>
            )
          }
        >
          <RunPicture picture={picture} forks={run.forks} selected={selected} onSelect={select} />
          <p class="quiet selected-line" aria-live="polite">
            {selectedMark === undefined ? "" : sentenceOf(selectedMark)}
          </p>
        </Card>
      )}
      <div class="columns">
        <div class="column">
          {selected === undefined ? (
            <Card title="Checkpoint">
              <p class="empty">No checkpoint was saved yet.</p>
            </Card>
          ) : (
            <CheckpointPanel
              key={selected}
              id={selected}
              file={file}
              checkpoints={run.checkpoints}
              forks={run.forks.filter(({ checkpointId }) => checkpointId === selected)}
            />
          )}
          {run.checkpoints.length > 0 && <Steps run={run} marks={marks} selected={selected} />}
        </div>
        <div class="column">
          <Conversation
            session={session}
            until={selected === latest ? undefined : selectedMark?.checkpoint.createdAt}
          />
          {run.checkpoints.length > 1 && <RunGrowth checkpoints={run.checkpoints} />}
          {run.session.metadata !== undefined && (
            <Card title="Metadata">
              <ValueTree value={run.session.metadata} readBy="getSession()" />
            </Card>
          )}
        </div>
      </div>
    </main>
  );
}

/** Where a node failed, if the run stands failed: what one came for. */
function failedOf(run: RunAnswer | undefined): string | undefined {
  return run?.session.state !== "failed"
    ? undefined
    : run.checkpoints.findLast(({ changes }) => changes.some(isFailed))?.id;
}

function Head({ run: { session, origin, forks, latestId } }: { run: RunAnswer }) {
  return (
    <div class="head">
      <p class="quiet">
        <a href={hrefOf({ view: "sessions" })}>Sessions</a> / {visible(session.id)}
      </p>
      <h1>{visible(titleOf(session))}</h1>
      <p class="detail quiet">
        <StateChip state={session.state} nodes={session.nodes} />
        {session.workspaceId !== null && <span class="workspace">{visible(session.workspaceId)}</span>}
        <span>{visible(session.directory)}</span>
        <span>{count(session.checkpoints, "checkpoint")}</span>
        <span>{count(session.messages, "message")}</span>
        <span>{size(session.bytes)}</span>
        <Ago at={session.updatedAt} />
      </p>
      <p class="links">
        {origin !== undefined && (
          <a
            class="button"
            href={hrefOf({ view: "session", session: origin.sessionId, checkpoint: origin.checkpointId })}
          >
            Forked from v{origin.version} of {visible(origin.title ?? origin.sessionId).slice(0, 60)}
          </a>
        )}
        {(forks.length > 0 || origin !== undefined) && (
          <a class="button" href={hrefOf({ view: "family", session: session.id })}>
            Fork tree
          </a>
        )}
        {origin?.latestId !== undefined && latestId !== undefined && (
          <a class="button" href={hrefOf({ view: "compare", before: origin.latestId, after: latestId })}>
            Compare with how the original ended
          </a>
        )}
        <CopyButton label="Copy link" text={() => Promise.resolve(location.href)} />
      </p>
    </div>
  );
}

function Steps({
  run,
  marks,
  selected,
}: {
  run: RunAnswer;
  marks: readonly Mark[];
  selected: string | undefined;
}) {
  const [shown, setShown] = useState(100);
  const newest = marks.toReversed();
  return (
    <Card title="Steps, newest first">
      <ol class="steps">
        {newest.slice(0, shown).map(({ checkpoint, ...mark }) => (
          <li key={checkpoint.id}>
            <a
              href={hrefOf({ view: "session", session: run.session.id, checkpoint: checkpoint.id })}
              aria-current={checkpoint.id === selected ? "step" : undefined}
            >
              {sentenceOf({ checkpoint, ...mark })}
            </a>
            {run.forks
              .filter(({ checkpointId }) => checkpointId === checkpoint.id)
              .map((fork) => (
                <a
                  key={fork.sessionId}
                  class="fork-link"
                  href={hrefOf({ view: "session", session: fork.sessionId })}
                >
                  ↳ fork: {visible(titleOf({ id: fork.sessionId, title: fork.title }))}
                </a>
              ))}
          </li>
        ))}
      </ol>
      {newest.length > shown && (
        <button type="button" class="small" onClick={() => setShown(shown + 200)}>
          {newest.length - shown} more
        </button>
      )}
    </Card>
  );
}

/** A checkpoint in words. */
function sentenceOf({ checkpoint, iteration, place }: Mark): string {
  const { version, source, changes, cycle, pending, unread } = checkpoint;
  const nodes = changes.slice(0, MOST_NAMED);
  const more = changes.length > nodes.length ? ` and ${changes.length - nodes.length} more` : "";
  const did =
    source === "fork"
      ? `a fork copied ${nodes.map(({ node }) => node).join(", ")}${more}`
      : `${nodes.map(visitInWords).join("; ")}${more}`;
  const loop = iteration === undefined ? "" : `; went back by ${cycle?.backEdge}, iteration ${iteration}`;
  const next =
    pending.length === 0 ? "nothing is pending" : `next: ${pending.slice(0, MOST_NAMED).join(", ")}`;
  const where = place === undefined ? "" : ` in ${place}`;
  return visible(`v${version}${where}: ${unread ?? (did === "" ? "nothing changed" : did)}${loop}; ${next}`);
}

const MOST_NAMED = 6;

function visitInWords({ node, status, startedAt, completedAt }: NodeChange): string {
  const time =
    startedAt === undefined || completedAt === undefined ? "" : ` in ${duration(completedAt - startedAt)}`;
  return `${node} ${status}${time}`;
}

/** What each checkpoint added to the file. */
function RunGrowth({ checkpoints }: { checkpoints: readonly RunCheckpoint[] }) {
  const [width, height] = [460, 90];
  let sum = 0;
  const sums = checkpoints.map(({ rowBytes }) => {
    sum += rowBytes;
    return sum;
  });
  const points = sums.map(
    (value, index) =>
      `${(index / Math.max(1, sums.length - 1)) * width},${height - (value / Math.max(1, sum)) * (height - 6)}`,
  );
  return (
    <Card title="Growth">
      <svg
        class="spark"
        viewBox={`0 0 ${width} ${height}`}
        preserveAspectRatio="none"
        role="img"
        aria-label={`The rows of ${checkpoints.length} checkpoints grew to ${bytes(sum)}`}
      >
        <polygon points={`0,${height} ${points.join(" ")} ${width},${height}`} />
      </svg>
      <p class="axis quiet">
        <span>v{checkpoints[0]?.version}</span>
        <span>
          v{checkpoints.at(-1)?.version}: {bytes(sum)}
        </span>
      </p>
      <p class="quiet">
        The rows of {checkpoints.length} checkpoints, {bytes(sum / checkpoints.length)} each on average. Large
        outputs are kept apart, once per session.
      </p>
    </Card>
  );
}

/** The run, and what was added to it since: only that is asked for when the file changes. */
function useRun(session: string) {
  const [run, setRun] = useState<RunAnswer>();
  const [error, setError] = useState<string>();
  const { changes, took } = useChanges();
  const known = run?.session.id === session ? run : undefined;
  useEffect(() => {
    const controller = new AbortController();
    const began = performance.now();
    ask<RunAnswer>(
      "run",
      { session, after: known?.checkpoints.at(-1)?.id },
      { signal: controller.signal },
    ).then(
      (answer) => {
        took(performance.now() - began);
        setRun((last) => (last?.session.id === session ? continuedRun(last, answer) : answer));
        setError(undefined);
      },
      (problem: unknown) => {
        if (!controller.signal.aborted) {
          setError(messageOf(problem));
        }
      },
    );
    return () => controller.abort();
  }, [session, changes]);
  const [isAsking, setAsking] = useState(false);
  const loadEarlier = async () => {
    setAsking(true);
    try {
      const answer = await ask<RunAnswer>("run", { session, before: known?.checkpoints[0]?.id });
      setRun((last) => (last === undefined ? answer : withEarlierCheckpoints(last, answer)));
    } catch (problem) {
      setError(messageOf(problem));
    }
    setAsking(false);
  };
  return { run: known, error, loadEarlier, isAsking };
}

export function useTitle(title: string | undefined): void {
  const text = useMemo(
    () => (title === undefined ? "Checkpoint inspector" : `${visible(title)} · inspector`),
    [title],
  );
  useEffect(() => {
    document.title = text;
  }, [text]);
}
