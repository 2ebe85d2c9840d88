/** The run as a picture: lanes over time or by steps, with a mark at each checkpoint. */
import { useEffect, useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import type { ForkLink } from "../answers.js";
import { duration, titleOf, visible } from "./format.js";
import {
  type Lane,
  type Loop,
  type Mark,
  type Picture,
  type Scale,
  timeScale,
  type Visit,
  visibleLanes,
} from "./lanes.js";
import { hrefOf } from "./router.js";
import { statusClass } from "./status.js";

const LANE = 26;
const BAR = 16;

/** Of the bend of a loop's line. */
const LOOP = 5;
const HEAD = 44;
const FOOT = 22;
const EDGE = 14;

/** Pixels between the labels of the time axis. */
const LEAST_TICK = 58;

/** Forks that are drawn; the fork tree has all. */
const MOST_FORKS = 6;

interface Props {
  picture: Picture;
  forks: readonly ForkLink[];
  selected: string | undefined;
  onSelect: (checkpoint: string) => void;
}

export function RunPicture({ picture, forks, selected, onSelect }: Props) {
  const hasTimes = picture.lanes.some(({ visits }) => visits.some(({ isTimed }) => isTimed));
  const [mode, setMode] = useState<"time" | "steps">();
  const [zoom, setZoom] = useState(1);
  const [open, setOpen] = useState<ReadonlySet<string>>(new Set());
  const shownMode = mode ?? (hasTimes ? "time" : "steps");
  const lanes = visibleLanes(picture.lanes, open);
  const branches = useMemo(() => branchesOf(forks, picture), [forks, picture]);
  const toggle = (key: string) => {
    const next = new Set(open);
    if (!next.delete(key)) {
      next.add(key);
    }
    setOpen(next);
  };
  return (
    <div class="picture">
      <div class="toolbar">
        <fieldset class="switch" aria-label="Axis">
          {(["time", "steps"] as const).map((name) => (
            <button
              key={name}
              type="button"
              aria-pressed={shownMode === name}
              disabled={name === "time" && !hasTimes}
              onClick={() => setMode(name)}
            >
              By {name}
            </button>
          ))}
        </fieldset>
        <fieldset class="switch" aria-label="Zoom">
          <button type="button" aria-label="Zoom out" disabled={zoom <= 1} onClick={() => setZoom(zoom / 2)}>
            −
          </button>
          <button type="button" aria-label="Zoom in" disabled={zoom >= 64} onClick={() => setZoom(zoom * 2)}>
            +
          </button>
        </fieldset>
        <Legend picture={picture} forks={branches.length} />
      </div>
      <div class="lanes">
        <div class="lane-names">
          {lanes.map((lane) => (
            <LaneName
              key={lane.key}
              lane={lane}
              isOpen={open.has(lane.key)}
              onToggle={() => toggle(lane.key)}
            />
          ))}
          {branches.map(({ fork }) => (
            <ForkName key={fork.sessionId} fork={fork} />
          ))}
        </div>
        <Drawing
          picture={picture}
          lanes={lanes}
          branches={branches}
          mode={shownMode}
          zoom={zoom}
          selected={selected}
          onSelect={onSelect}
        />
      </div>
    </div>
  );
}

/** Only what is in the picture, but for what every reader must know. */
function Legend({ picture, forks }: { picture: Picture; forks: number }) {
  const visits = picture.lanes.flatMap(visitsOf);
  const found = new Set(visits.map(({ status }) => statusClass(status)));
  const statuses = SHOWN_STATUSES.filter((status) => status === "completed" || found.has(status));
  return (
    <ul class="legend" aria-label="Legend">
      {statuses.map((status) => (
        <li key={status}>
          <span class={`swatch ${status}`} /> {status}
        </li>
      ))}
      {visits.some(({ isCopied }) => isCopied) && (
        <li>
          <span class="swatch copied" /> copied by a fork
        </li>
      )}
      <li>
        <span class="dot" /> checkpoint
      </li>
      {picture.loops.length > 0 && (
        <li>
          <span class="sign loop-sign" aria-hidden="true">
            ↺
          </span>{" "}
          went back
        </li>
      )}
      {forks > 0 && (
        <li>
          <span class="sign fork-sign" aria-hidden="true">
            ↳
          </span>{" "}
          fork
        </li>
      )}
    </ul>
  );
}

const SHOWN_STATUSES = ["completed", "failed", "running", "skipped", "pending"];

function visitsOf(lane: Lane): Visit[] {
  return [...lane.visits, ...lane.children.flatMap(visitsOf)];
}

function LaneName({ lane, isOpen, onToggle }: { lane: Lane; isOpen: boolean; onToggle: () => void }) {
  const name = visible(lane.node);
  const visits = lane.visits.filter(({ status }) => status !== "pending").length;
  const times =
    visits > 1 ? (
      <span class="times" title={`ran ${visits} times`}>
        ×{visits}
      </span>
    ) : null;
  return (
    <div
      class={`lane-name depth-${Math.min(lane.depth, 3)}`}
      title={lane.namespace === "" ? lane.node : `${lane.node} in ${lane.namespace}`}
    >
      {lane.children.length > 0 ? (
        <button type="button" class="twist" aria-expanded={isOpen} onClick={onToggle}>
          <span class="name">{name}</span>
        </button>
      ) : (
        <span class="name">{name}</span>
      )}
      {times}
    </div>
  );
}

/** A fork, and the mark where it began. */
interface Branch {
  fork: ForkLink;
  mark: Mark;
}

function branchesOf(forks: readonly ForkLink[], { marks }: Picture): Branch[] {
  return forks
    .flatMap((fork) => {
      const mark = marks.find(({ checkpoint }) => checkpoint.id === fork.checkpointId);
      return mark === undefined ? [] : [{ fork, mark }];
    })
    .slice(0, MOST_FORKS);
}

function ForkName({ fork }: { fork: ForkLink }) {
  const title = visible(titleOf({ id: fork.sessionId, title: fork.title }));
  return (
    <div class="lane-name fork-name" title={title}>
      <a href={hrefOf({ view: "session", session: fork.sessionId })} aria-label={`Fork: ${title}`}>
        ↳ {title}
      </a>
    </div>
  );
}

interface DrawingProps {
  picture: Picture;
  lanes: Lane[];
  branches: readonly Branch[];
  mode: "time" | "steps";
  zoom: number;
  selected: string | undefined;
  onSelect: (checkpoint: string) => void;
}

function Drawing({ picture, lanes, branches, mode, zoom, selected, onSelect }: DrawingProps) {
  const frame = useRef<HTMLDivElement>(null);
  const width = useWidth(frame) * zoom;
  const scale = useMemo(() => timeScale(picture), [picture]);
  const rows = lanes.length + branches.length;
  const height = HEAD + rows * LANE + FOOT;
  const place = useMemo(() => placing(picture, scale, mode, width), [picture, scale, mode, width]);
  const selectedMark = picture.marks.find(({ checkpoint }) => checkpoint.id === selected);
  useScrollTo(frame, selectedMark && place.mark(selectedMark));

  const walk = (event: KeyboardEvent) => {
    const target = walked(picture.marks, selected, event.key);
    if (target !== undefined) {
      event.preventDefault();
      onSelect(target);
    }
  };
  const choose = (event: MouseEvent) => {
    const id =
      event.target instanceof Element ? event.target.closest("[data-id]")?.getAttribute("data-id") : null;
    if (id !== null && id !== undefined) {
      onSelect(id);
    }
  };
  return (
    <div
      ref={frame}
      class="drawing"
      role="application"
      // biome-ignore lint/a11y/noNoninteractiveTabindex: it scrolls, and the arrow keys walk through it.
      tabIndex={0}
      aria-label={`The run over ${mode}: ${picture.marks.length} checkpoints. Left and right arrow keys select a checkpoint; the list of steps below says the same in words.`}
      onKeyDown={walk}
      onClick={choose}
    >
      {width > 0 && (
        <svg width={width} height={height} aria-hidden="true" focusable="false">
          <Stripes count={rows} width={width} />
          {mode === "time" && <TimeAxis scale={scale} width={width} height={height} />}
          {selectedMark !== undefined && (
            <line
              class="cursor"
              x1={place.mark(selectedMark)}
              x2={place.mark(selectedMark)}
              y1={20}
              y2={height - FOOT}
            />
          )}
          {branches.map(({ fork, mark }, index) => (
            <BranchLine
              key={fork.sessionId}
              fork={fork}
              x={place.mark(mark)}
              y={HEAD + (lanes.length + index) * LANE + LANE / 2}
              width={width}
            />
          ))}
          {lanes.map((lane, row) =>
            lane.visits.map((visit) => (
              <Bar
                key={`${lane.key}${visit.iteration}`}
                visit={visit}
                row={row}
                place={place}
                isSelected={visit.checkpoint === selected}
              />
            )),
          )}
          {picture.loops.map((loop) => (
            <LoopLine
              key={loop.mark.checkpoint.id}
              loop={loop}
              x={place.mark(loop.mark)}
              from={lanes.findIndex(({ key }) => key === loop.from)}
              to={lanes.findIndex(({ key }) => key === loop.to)}
            />
          ))}
          {picture.marks.map((mark, index) => (
            <MarkDot
              key={mark.checkpoint.id}
              mark={mark}
              x={place.mark(mark)}
              room={place.roomAfter(index)}
              isSelected={mark.checkpoint.id === selected}
            />
          ))}
        </svg>
      )}
    </div>
  );
}

function Stripes({ count, width }: { count: number; width: number }) {
  return (
    <g>
      {Array.from({ length: Math.ceil(count / 2) }, (_, index) => (
        <rect key={index} class="stripe" x={0} y={HEAD + index * 2 * LANE} width={width} height={LANE} />
      ))}
    </g>
  );
}

/** Where a fork began, down to its row, and on: its own times are in its own picture. */
function BranchLine({ fork, x, y, width }: { fork: ForkLink; x: number; y: number; width: number }) {
  const end = Math.max(x + 12, width - EDGE);
  return (
    <g data-fork={fork.sessionId}>
      <title>{`Forked from here: ${visible(titleOf({ id: fork.sessionId, title: fork.title }))}`}</title>
      <path class="branch-path" d={`M${x} 36 V${y - 6} Q${x} ${y} ${x + 6} ${y} H${end}`} />
      <circle class="branch-end" cx={end} cy={y} r={3.5} />
    </g>
  );
}

/** From the node that decided to the one that runs again. */
function LoopLine({ loop, x, from, to }: { loop: Loop; x: number; from: number; to: number }) {
  if (from < 0 || to < 0) {
    return null;
  }
  const [start, end] = [HEAD + from * LANE + LANE / 2, HEAD + to * LANE + LANE / 2];
  // Left of the bar that runs again: what is between has ended by then, and texts stay free.
  const up = to <= from ? -1 : 1;
  const [at, tip] = [x - 7, x - 1];
  const way =
    from === to
      ? `M${at} ${start - BAR / 2} q${LOOP} ${-LOOP * 2} ${LOOP * 2} 0`
      : `M${at} ${start + (up * BAR) / 2} V${end - up * LOOP} Q${at} ${end} ${tip} ${end}`;
  return (
    <g class="loop" data-id={loop.mark.checkpoint.id}>
      <title>{`Back by ${visible(loop.mark.checkpoint.cycle?.backEdge ?? "")}, iteration ${loop.iteration}`}</title>
      <path d={way} />
      {from !== to && <path d={`M${tip - 4} ${end - 4} L${tip} ${end} L${tip - 4} ${end + 4}`} />}
    </g>
  );
}

/** Without labels that would touch the one before, or say the same. */
function readable(ticks: Scale["ticks"], x: (at: number) => number): Scale["ticks"] {
  let last: { x: number; label: string } | undefined;
  return ticks.filter(({ at, milliseconds }) => {
    const tick = { x: x(at), label: duration(milliseconds) };
    const isReadable = last === undefined || (tick.x - last.x >= LEAST_TICK && tick.label !== last.label);
    last = isReadable ? tick : last;
    return isReadable;
  });
}

function TimeAxis({ scale, width, height }: { scale: Scale; width: number; height: number }) {
  const x = (at: number) => EDGE + at * (width - 2 * EDGE);
  return (
    <g>
      {readable(scale.ticks, x).map(({ at, milliseconds }) => (
        <g key={milliseconds}>
          <line class="tick" x1={x(at)} x2={x(at)} y1={HEAD} y2={height - FOOT} />
          <text
            class="tick-text"
            x={x(at)}
            y={height - 6}
            text-anchor={at > 0.95 ? "end" : at < 0.02 ? "start" : "middle"}
          >
            {duration(milliseconds)}
          </text>
        </g>
      ))}
      {scale.pauses.map((pause) => (
        <g key={pause.from}>
          <rect
            class="pause"
            x={x(pause.from)}
            y={HEAD}
            width={Math.max(4, x(pause.to) - x(pause.from))}
            height={height - HEAD - FOOT}
          />
          <text class="tick-text" x={(x(pause.from) + x(pause.to)) / 2} y={HEAD + 12} text-anchor="middle">
            {duration(pause.milliseconds)} idle
          </text>
        </g>
      ))}
    </g>
  );
}

function Bar({
  visit,
  row,
  place,
  isSelected,
}: {
  visit: Visit;
  row: number;
  place: Placing;
  isSelected: boolean;
}) {
  const [x, width] = place.bar(visit);
  const y = HEAD + row * LANE + 5;
  const name = statusClass(visit.status);
  const time = visit.isTimed ? duration(visit.to - visit.from) : "no times were stored";
  const classes = `bar ${name}${visit.isCopied ? " copied" : ""}${isSelected ? " selected" : ""}`;
  return (
    <g data-id={visit.checkpoint}>
      <title>
        {`${visible(visit.node)}, ${visit.status}, ${time}${visit.iteration > 1 ? `, time ${visit.iteration}` : ""}${visit.error === undefined ? "" : `: ${visible(visit.error)}`}`}
      </title>
      <rect class={classes} x={x} y={y} width={width} height={BAR} rx={3} />
      {name === "failed" && (
        <text class="bar-sign" x={x + width / 2} y={y + 12} text-anchor="middle">
          ✕
        </text>
      )}
      {name !== "failed" && width > 48 && visit.isTimed && !visit.isCopied && (
        <text class="bar-text" x={x + 6} y={y + 12}>
          {duration(visit.to - visit.from)}
        </text>
      )}
    </g>
  );
}

function MarkDot({
  mark,
  x,
  room,
  isSelected,
}: {
  mark: Mark;
  x: number;
  room: number;
  isSelected: boolean;
}) {
  const { checkpoint, iteration, forks, isInner } = mark;
  const label = `v${checkpoint.version}`;
  const hasText = !isInner && (room > 12 + label.length * 7 || isSelected);
  return (
    <g data-id={checkpoint.id} class={`mark${isSelected ? " selected" : ""}${isInner ? " inner" : ""}`}>
      <title>
        {`${label}${checkpoint.namespace === "" ? "" : ` in ${visible(checkpoint.namespace)}`}, step ${checkpoint.step}`}
        {iteration === undefined
          ? ""
          : `, back by ${visible(checkpoint.cycle?.backEdge ?? "")}, iteration ${iteration}`}
        {forks === 0 ? "" : `, ${forks} forked from here`}
      </title>
      <circle cx={x} cy={30} r={isInner ? 3 : 5} />
      {hasText && (
        <text x={x} y={17} text-anchor="middle">
          {iteration !== undefined && room > 40 ? `${label} ↺${iteration}` : label}
        </text>
      )}
    </g>
  );
}

interface Placing {
  bar: (visit: Visit) => [x: number, width: number];
  mark: (mark: Mark) => number;
  /** The distance to the next mark of the same kind. */
  roomAfter: (index: number) => number;
}

function placing(picture: Picture, scale: Scale, mode: "time" | "steps", width: number): Placing {
  const inside = Math.max(1, width - 2 * EDGE);
  const slots = picture.marks.length + 1;
  const x = (time: number) => EDGE + scale.at(time) * inside;
  const slot = (step: number) => EDGE + ((step + 0.5) / slots) * inside;
  const half = Math.max(1.5, (inside / slots) * 0.42);
  const mark =
    mode === "time"
      ? ({ checkpoint }: Mark) => x(checkpoint.createdAt)
      : ({ step }: Mark) => slot(step) + half;
  const rooms = roomsOf(picture.marks, mark);
  return {
    mark,
    roomAfter: (index) => rooms[index] ?? 0,
    bar: (visit) => {
      if (mode === "steps") {
        return [slot(visit.step) - half, half * 2];
      }
      if (visit.status === "pending") {
        return [Math.min(x(visit.from) + 3, width - 12), 10];
      }
      return [x(visit.from), Math.max(2.5, x(visit.to) - x(visit.from))];
    },
  };
}

/** To the nearest mark with a label on either side. */
function roomsOf(marks: readonly Mark[], x: (mark: Mark) => number): number[] {
  const outer = marks.flatMap((mark, index) => (mark.isInner ? [] : [{ index, x: x(mark) }]));
  const rooms: number[] = [];
  let lastLabelled = Number.NEGATIVE_INFINITY;
  for (const { index, x: at } of outer) {
    const room = at - lastLabelled;
    rooms[index] = room;
    if (room > 34) {
      lastLabelled = at;
    }
  }
  return rooms;
}

/** The checkpoint that a key leads to; `undefined` for any other key. */
export function walked(
  marks: readonly Mark[],
  selected: string | undefined,
  key: string,
): string | undefined {
  const at = marks.findIndex(({ checkpoint }) => checkpoint.id === selected);
  const index = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: marks.length - 1 }[key];
  return index === undefined
    ? undefined
    : marks[Math.max(0, Math.min(index, marks.length - 1))]?.checkpoint.id;
}

/** 0 until the element is there: a long run is drawn once. */
function useWidth(element: { readonly current: HTMLElement | null }): number {
  const [width, setWidth] = useState(0);
  useLayoutEffect(() => {
    const { current } = element;
    if (current === null) {
      return;
    }
    setWidth(current.clientWidth);
    const observer = new ResizeObserver(() => setWidth(current.clientWidth));
    observer.observe(current);
    return () => observer.disconnect();
  }, [element]);
  return width;
}

/** Only inside the picture: the page itself does not move. */
function useScrollTo(element: { readonly current: HTMLElement | null }, x: number | undefined): void {
  useEffect(() => {
    const { current } = element;
    if (
      current !== null &&
      x !== undefined &&
      (x < current.scrollLeft || x > current.scrollLeft + current.clientWidth)
    ) {
      current.scrollLeft = x - current.clientWidth / 2;
    }
  }, [element, x]);
}
