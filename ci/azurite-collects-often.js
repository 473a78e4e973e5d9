// Loaded before Azurite: it then gives back the room of what was deleted after seconds, and not after 10 to 20 minutes. A benchmark
// writes more in that time than a machine has. For nothing that must be right: an upload that stands still for longer could lose bytes.
// Usage: node --require ./ci/azurite-collects-often.js PATH/azurite/dist/src/blob/main.js ...
"use strict";
const path = require("node:path");

const MILLISECONDS = 15_000;
const source = path.dirname(path.dirname(path.resolve(process.argv[1])));

function set(file, name) {
    const constants = require(path.join(source, file));
    if (typeof constants[name] !== "number") {
        throw new Error(`this Azurite has no ${name} in ${file}`);
    }
    constants[name] = MILLISECONDS;
}

set("blob/utils/constants.js", "DEFAULT_GC_INTERVAL_MS");
set("common/utils/constants.js", "DEFAULT_EXTENT_GC_PROTECT_TIME_IN_MS");
