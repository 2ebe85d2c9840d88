/** Where the bytes are: over time, by session, by table, and what sharing saves. */
import type { GrowthAnswer } from "../answers.js";
import { useAnswer } from "./api.js";
import { bytes, day, number, time, titleOf, visible } from "./format.js";
import { Card, Problem } from "./parts.js";
import { hrefOf } from "./router.js";
import { useTitle } from "./session-view.js";

export function GrowthView() {
  const { data, error, reload } = useAnswer<GrowthAnswer>("growth", {}, { isLive: false });
  useTitle("Growth");
  return (
    <main class="growth">
      <h1>Growth</h1>
      <Problem error={error} />
      {data === undefined && error === undefined && (
        <p class="quiet loading">Reading the whole file: about as long as a copy of it takes…</p>
      )}
      {data !== undefined && (
        <>
          <p class="detail quiet">
            <span>{bytes(data.fileBytes)} in the file</span>
            <span>{bytes(data.freeBytes)} of it free</span>
            <span>{bytes(data.logBytes)} in the write-ahead log</span>
            <button type="button" class="small" onClick={reload}>
              Read again
            </button>
          </p>
          <OverTime spans={data.overTime} />
          <div class="columns">
            <BySession sessions={data.sessions} />
            <div class="column">
              <Sharing sharing={data.sharing} />
              <Tables tables={data.tables} />
            </div>
          </div>
        </>
      )}
    </main>
  );
}

/** A short time has few spans: they are not drawn as walls. */
const WIDEST_COLUMN = 56;

function OverTime({ spans }: { spans: GrowthAnswer["overTime"] }) {
  const [width, height] = [960, 180];
  const most = Math.max(1, ...spans.map((span) => span.checkpoints + span.messages));
  const step = width / Math.max(1, spans.length);
  const label = (at: number) =>
    spans.length > 0 && (spans.at(-1)?.to ?? 0) - (spans[0]?.from ?? 0) > 172_800_000 ? day(at) : time(at);
  const sum = (kind: "checkpoints" | "messages") => spans.reduce((total, span) => total + span[kind], 0);
  return (
    <Card title="Written over time">
      <div class="plot" style={{ maxWidth: `${Math.max(320, spans.length * WIDEST_COLUMN)}px` }}>
        <svg
          class="columns-plot"
          viewBox={`0 0 ${width} ${height}`}
          preserveAspectRatio="none"
          role="img"
          aria-label={`Checkpoints wrote ${bytes(sum("checkpoints"))}, messages ${bytes(sum("messages"))}`}
        >
          {spans.map((span, index) => {
            const [first, second] = [(span.checkpoints / most) * height, (span.messages / most) * height];
            return (
              <g key={span.from}>
                <title>{`${label(span.from)}: checkpoints ${bytes(span.checkpoints)}, messages ${bytes(span.messages)}`}</title>
                <rect
                  class="of-checkpoints"
                  x={index * step + 1}
                  width={Math.max(1, step - 2)}
                  y={height - first}
                  height={first}
                />
                <rect
                  class="of-messages"
                  x={index * step + 1}
                  width={Math.max(1, step - 2)}
                  y={height - first - second}
                  height={second}
                />
              </g>
            );
          })}
        </svg>
        <p class="axis quiet">
          <span>{label(spans[0]?.from ?? 0)}</span>
          <span>highest: {bytes(most)}</span>
          <span>{label(spans.at(-1)?.to ?? 0)}</span>
        </p>
      </div>
      <ul class="legend">
        <li>
          <span class="swatch of-checkpoints" /> rows of checkpoints, {bytes(sum("checkpoints"))}
        </li>
        <li>
          <span class="swatch of-messages" /> messages, {bytes(sum("messages"))}
        </li>
      </ul>
    </Card>
  );
}

function BySession({ sessions }: { sessions: GrowthAnswer["sessions"] }) {
  const most = Math.max(1, ...sessions.map((session) => session.bytes));
  return (
    <Card title="Largest sessions">
      <ol class="bars">
        {sessions.map((session) => (
          <li key={session.id}>
            <a href={hrefOf({ view: "session", session: session.id })}>{visible(titleOf(session))}</a>
            <span class="quiet">
              {bytes(session.bytes)} in {number(session.checkpoints)} checkpoints
            </span>
            <span class="bar-track" aria-hidden="true">
              <span class="of-outputs" style={{ width: `${(session.outputBytes / most) * 100}%` }} />
              <span
                class="of-checkpoints"
                style={{ width: `${((session.bytes - session.outputBytes) / most) * 100}%` }}
              />
            </span>
          </li>
        ))}
      </ol>
      <ul class="legend">
        <li>
          <span class="swatch of-outputs" /> outputs kept once
        </li>
        <li>
          <span class="swatch of-checkpoints" /> all other rows
        </li>
      </ul>
    </Card>
  );
}

function Sharing({ sharing: { referenced, stored, saved } }: { sharing: GrowthAnswer["sharing"] }) {
  const part = referenced === 0 ? 0 : (stored / referenced) * 100;
  return (
    <Card title="What sharing saves">
      {referenced === 0 ? (
        <p class="empty">No output is large enough to be kept apart.</p>
      ) : (
        <>
          <p>
            Checkpoints refer to <strong>{bytes(referenced)}</strong> of large outputs. The file keeps{" "}
            <strong>{bytes(stored)}</strong>: {saved >= 0 ? `${bytes(saved)} less` : `${bytes(-saved)} more`}.
          </p>
          <span class="bar-track wide" aria-hidden="true">
            <span class="of-outputs" style={{ width: `${Math.min(100, part)}%` }} />
          </span>
        </>
      )}
    </Card>
  );
}

function Tables({ tables }: { tables: GrowthAnswer["tables"] }) {
  return (
    <Card title="Tables">
      <div class="table-frame">
        <table>
          <thead>
            <tr>
              <th scope="col">Table</th>
              <th scope="col" class="number">
                Rows
              </th>
              <th scope="col" class="number">
                Bytes
              </th>
            </tr>
          </thead>
          <tbody>
            {tables
              .toSorted((one, other) => other.bytes - one.bytes)
              .map((table) => (
                <tr key={table.name}>
                  <th scope="row">{visible(table.name)}</th>
                  <td class="number">{number(table.rows)}</td>
                  <td class="number">{bytes(table.bytes)}</td>
                </tr>
              ))}
          </tbody>
        </table>
      </div>
    </Card>
  );
}
