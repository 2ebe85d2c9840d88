/**
 * What the server answers and the page shows. Types only: both sides import this module, and nothing of it runs.
 *
 * Every answer is bounded. What was left out is said next to what is there, never silently.
 */

/** The file as a whole. */
export interface FileAnswer {
  path: string;
  name: string;
  sessions: number;
  bytes: number;
  /** Of the write-ahead log. */
  logBytes: number;
  workspaces: { id: string | null; sessions: number }[];
  /** What a request to fork must bring in its header; absent unless forks are allowed. */
  forkToken?: string;
}

/** Of the latest checkpoint of a session: what a list shows before it is opened. */
export type RunState = "failed" | "pending" | "finished" | "empty" | "unread";

export interface SessionItem {
  id: string;
  title: string | null;
  workspaceId: string | null;
  directory: string;
  createdAt: number;
  updatedAt: number;
  messages: Counted;
  checkpoints: Counted;
  bytes: Counted;
  state: RunState;
  /** Nodes that failed, or that are pending. */
  nodes: string[];
  /** Why the state is `unread`. */
  unread?: string;
}

/** A number that was counted up to a limit. */
export interface Counted {
  value: number;
  /** There are more. */
  isCut: boolean;
}

export interface SessionsAnswer {
  /** How many match. */
  total: number;
  offset: number;
  items: SessionItem[];
  /** If only the newest sessions were looked at: how many. */
  lookedAt?: number;
}

export interface NodeChange {
  node: string;
  status: string;
  startedAt?: number;
  completedAt?: number;
  error?: string;
  /** Bytes of its output in the row, or of what the reference stands for where that is known. */
  outputBytes?: number;
}

interface CheckpointColumns {
  id: string;
  namespace: string;
  version: number;
  step: number;
  source: string | null;
  createdAt: number;
  parentId?: string;
  nodeId?: string;
  pending: string[];
  cycle?: { backEdge: string; iteration: number };
}

/** A checkpoint in the picture of a run. */
export interface RunCheckpoint extends CheckpointColumns {
  position: number;
  /** Nodes that differ from the namespace's checkpoint before. */
  changes: NodeChange[];
  rowBytes: number;
  /** Why its nodes are not shown. */
  unread?: string;
}

export interface ForkLink {
  sessionId: string;
  title: string | null;
  /** The checkpoint that was forked. */
  checkpointId: string;
  createdAt: number;
}

export interface RunAnswer {
  session: SessionItem & { metadata?: ValueNode };
  /** Oldest first. */
  checkpoints: RunCheckpoint[];
  /** These follow the checkpoint that the page has already. */
  isContinued?: boolean;
  /** Older ones than the first. */
  hasEarlier: boolean;
  total: Counted;
  /** Where this session was forked from, if it was. */
  origin?: {
    sessionId: string;
    title: string | null;
    checkpointId: string;
    version: number;
    latestId?: string;
  };
  /** The checkpoint that the run would resume from. */
  latestId?: string;
  forks: ForkLink[];
}

export interface MessageItem {
  id: number;
  role: string;
  createdAt: number;
  content?: Text;
  toolCalls?: ValueNode;
  toolResults?: ValueNode;
  tokensIn?: number;
  tokensOut?: number;
}

export interface Text {
  text: string;
  /** Characters in the file; more than `text` has if it was cut. */
  size: number;
}

export interface ConversationAnswer {
  /** Oldest first. */
  messages: MessageItem[];
  hasEarlier: boolean;
}

/** A value, as far as it was read. */
export interface ValueNode {
  /** `object`, `array`, `string`, `number`, `boolean`, `null`, `undefined`, `Date`, `Map`, `Set`, `Buffer`, `bigint`, … */
  type: string;
  /** Of a value without parts. */
  text?: string;
  /** Parts, characters or bytes. */
  size?: number;
  /** The parts that were read, from the first. Absent: to be asked for. */
  parts?: Part[];
}

export interface Part {
  /** A member's name, or an index. */
  key: string;
  /** Of a Map. */
  mapKey?: ValueNode;
  value: ValueNode;
}

export interface CheckpointNode {
  node: string;
  status: string;
  startedAt?: number;
  completedAt?: number;
  error?: Text;
  output?: ValueNode;
  /** Bytes of the output's text in the wire format. */
  outputBytes?: number;
  /** Why the output is not shown. */
  unread?: string;
}

export interface CheckpointAnswer extends CheckpointColumns {
  sessionId: string;
  nodes: CheckpointNode[];
  /** Why the row is not shown. */
  unread?: string;
}

/** A place where two outputs differ. */
export interface Difference {
  /** As in code: `$.cites[2]`. */
  path: string;
  kind: "added" | "removed" | "changed";
  before?: ValueNode;
  after?: ValueNode;
}

export interface NodeDifference {
  node: string;
  kind: "finished" | "changed" | "removed" | "same";
  before?: CheckpointNode;
  after?: CheckpointNode;
  differences: Difference[];
  /** There are more differences than these. */
  isCut: boolean;
}

export interface ComparisonAnswer {
  before: CheckpointPlace;
  after: CheckpointPlace;
  /** Those that differ first. */
  nodes: NodeDifference[];
  pendingBefore: string[];
  pendingAfter: string[];
}

export interface CheckpointPlace {
  id: string;
  sessionId: string;
  title: string | null;
  namespace: string;
  version: number;
  createdAt: number;
}

export interface FamilyMember {
  sessionId: string;
  title: string | null;
  createdAt: number;
  updatedAt: number;
  checkpoints: Counted;
  state: RunState;
  nodes: string[];
  /** Why the state is `unread`. */
  unread?: string;
  latest?: { id: string; version: number };
  /** Where it was forked from. */
  from?: { sessionId: string; checkpointId: string; version: number };
}

export interface FamilyAnswer {
  /** The oldest ancestor first, then each with its forks. */
  members: FamilyMember[];
  isCut: boolean;
}

export interface GrowthAnswer {
  fileBytes: number;
  freeBytes: number;
  logBytes: number;
  tables: { name: string; rows: number; bytes: number }[];
  /** The largest first. */
  sessions: { id: string; title: string | null; bytes: number; outputBytes: number; checkpoints: number }[];
  /** Bytes of outputs as checkpoints refer to them, as they are kept, and the difference. */
  sharing: { referenced: number; stored: number; saved: number };
  /** Bytes of checkpoints and of messages by the time they were written, in equal spans. */
  overTime: { from: number; to: number; checkpoints: number; messages: number }[];
}

export interface ErrorAnswer {
  error: string;
  /** `FILE_GONE`: the file is not at its path any more. */
  code?: string;
}
