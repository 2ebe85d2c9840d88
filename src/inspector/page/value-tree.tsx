/** A stored value as a tree with its types. Parts that were not read yet are asked for when they are opened. */
import { useState } from "preact/hooks";
import type { Part, ValueNode } from "../answers.js";
import { ask, messageOf } from "./api.js";
import { bytes, number, visible } from "./format.js";
import { Problem } from "./parts.js";

/** Where more of a value can be asked for. */
export interface Source {
  checkpoint: string;
  node: string;
}

interface Place {
  source: Source | undefined;
  path: readonly number[];
  /** What reads all of it, if there is no source. */
  readBy: string;
}

const OPEN_DEPTH = 2;
const MOST_OPEN = 12;

const READ_BY = "checkpoint-sqlite checkpoint … --full, or getCheckpoint()";

export function ValueTree({
  value,
  source,
  readBy = READ_BY,
}: {
  value: ValueNode;
  source?: Source;
  readBy?: string;
}) {
  return (
    <div class="tree">
      <Value value={value} place={{ source, path: [], readBy }} depth={0} />
    </div>
  );
}

function Value({ value, place, depth }: { value: ValueNode; place: Place; depth: number }) {
  return value.parts === undefined && !isContainer(value) ? (
    <Scalar value={value} place={place} />
  ) : (
    <Container value={value} place={place} depth={depth} />
  );
}

function isContainer({ type, size, text }: ValueNode): boolean {
  return type === "large" || (text === undefined && size !== undefined);
}

function Container({ value, place, depth }: { value: ValueNode; place: Place; depth: number }) {
  const [loaded, setLoaded] = useState<ValueNode>();
  const shown = loaded ?? value;
  const [isOpen, setOpen] = useState(
    value.parts !== undefined && depth < OPEN_DEPTH && value.parts.length <= MOST_OPEN,
  );
  const [error, setError] = useState<string>();
  const load = async (offset: number) => {
    try {
      const more = await askFor(place, offset);
      setLoaded({ ...more, parts: [...(offset === 0 ? [] : (shown.parts ?? [])), ...(more.parts ?? [])] });
    } catch (problem) {
      setError(messageOf(problem));
    }
  };
  const toggle = () => {
    setOpen(!isOpen);
    if (!isOpen && shown.parts === undefined) {
      void load(0);
    }
  };
  if (loaded !== undefined && !isContainer(loaded)) {
    return <Scalar value={loaded} place={place} />;
  }
  if (shown.size === 0) {
    return (
      <span>
        <Type name={shown.type} /> <span class="quiet">empty</span>
      </span>
    );
  }
  if (shown.parts === undefined && place.source === undefined) {
    return (
      <span>
        <Type name={shown.type} />{" "}
        <NotShown what={shown.size === undefined ? "" : sizeOf(shown)} place={place} />
      </span>
    );
  }
  const parts = shown.parts ?? [];
  const left = (shown.size ?? 0) - parts.length;
  return (
    <>
      <button type="button" class="twist" aria-expanded={isOpen} onClick={toggle}>
        <Type name={shown.type} /> <span class="quiet">{sizeOf(shown)}</span>
      </button>
      {isOpen && (
        <ul>
          {parts.map((part, index) => (
            <li key={index}>
              <PartName part={part} type={shown.type} readBy={place.readBy} />
              <Value
                value={part.value}
                place={{ ...place, path: [...place.path, index] }}
                depth={depth + 1}
              />
            </li>
          ))}
          {left > 0 && shown.parts !== undefined && (
            <li>
              {place.source === undefined ? (
                <NotShown what={`${number(left)} more`} place={place} />
              ) : (
                <button type="button" class="small" onClick={() => load(parts.length)}>
                  {number(left)} more
                </button>
              )}
            </li>
          )}
        </ul>
      )}
      <Problem error={error} />
    </>
  );
}

function NotShown({ what, place }: { what: string; place: Place }) {
  return (
    <span class="quiet">
      {what} not shown here: <code>{place.readBy}</code>
    </span>
  );
}

function PartName({ part, type, readBy }: { part: Part; type: string; readBy: string }) {
  if (part.mapKey !== undefined) {
    return (
      <span class="key">
        <Value value={part.mapKey} place={{ source: undefined, path: [], readBy }} depth={OPEN_DEPTH} />
        <span class="quiet"> → </span>
      </span>
    );
  }
  return type === "Set" ? null : (
    <span class="key">
      {visible(part.key)}
      <span class="quiet">: </span>
    </span>
  );
}

function Scalar({ value, place }: { value: ValueNode; place: Place }) {
  const [whole, setWhole] = useState<ValueNode>();
  const [error, setError] = useState<string>();
  const { type, text = "", size } = whole ?? value;
  const isCut = type === "string" && size !== undefined && size > text.length;
  const load = () => askFor(place, 0).then(setWhole, (problem: unknown) => setError(messageOf(problem)));
  return (
    <span class={`value ${/^[\w-]+$/.test(type) ? type : "other"}`}>
      {type !== "string" && !PLAIN.has(type) && (
        <>
          <Type name={type} />{" "}
        </>
      )}
      {textOf(type, text, size)}
      {isCut && (
        <>
          <span class="quiet">… {number(size)} characters</span>{" "}
          {whole === undefined && place.source !== undefined && (
            <button type="button" class="small" onClick={load}>
              Show {size > 200_000 ? "the first 200,000" : "all"}
            </button>
          )}
        </>
      )}
      <Problem error={error} />
    </span>
  );
}

const PLAIN = new Set(["number", "boolean", "null", "undefined"]);

function textOf(type: string, text: string, size: number | undefined): string {
  if (type === "string") {
    return `"${visible(text)}"`;
  }
  if (isBytes(type)) {
    const pairs = text.match(/../g)?.join(" ") ?? "";
    return `${bytes(size ?? 0)}${pairs === "" ? "" : `: ${pairs}${(size ?? 0) * 2 > text.length ? " …" : ""}`}`;
  }
  return visible(type === "bigint" ? `${text}n` : text);
}

function isBytes(type: string): boolean {
  return /^(Buffer|ArrayBuffer|DataView|\w+Array)$/.test(type);
}

function sizeOf({ type, size }: ValueNode): string {
  if (size === undefined) {
    return "not read yet: open it";
  }
  const unit = type === "object" || type === "Error" ? "field" : type === "Map" ? "entry" : "item";
  const plural = unit === "entry" ? "entries" : `${unit}s`;
  return `${number(size)} ${size === 1 ? unit : plural}`;
}

function Type({ name }: { name: string }) {
  return <span class="type">{visible(name)}</span>;
}

function askFor({ source, path }: Place, offset: number): Promise<ValueNode> {
  if (source === undefined) {
    return Promise.reject(new Error("There is no more of it here."));
  }
  return ask<ValueNode>("value", { ...source, path: path.join("."), offset });
}
