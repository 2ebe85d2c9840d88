import type { Job } from "../harness/jobs.js";

/** A contestant with a file open, which runs jobs. */
export interface Runner {
  /** How long the job's calls took together, in milliseconds. */
  run(job: Job): Promise<number>;
  close(): Promise<void>;
}
