import { describeCheckpointStoreConformance, describeMemoryStoreConformance } from "./conformance-suite.js";
import { again, inFile, inMemory, once } from "./factories.js";

for (const options of [
  inMemory(),
  inFile("in a file", once),
  inFile("in a file that is closed and reopened between any two calls", again),
  inFile("in a file, with every output in its row", once, { shareOutputs: false }),
]) {
  describeCheckpointStoreConformance(options);
  describeMemoryStoreConformance(options);
}
