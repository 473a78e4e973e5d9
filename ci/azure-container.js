// Makes a container in an Azure account with its shared key; one that is there is fine.
// Usage: node azure-container.js ENDPOINT ACCOUNT KEY CONTAINER
"use strict";
const { createHmac } = require("node:crypto");

const [endpoint, account, key, container] = process.argv.slice(2);
const url = new URL(`${endpoint}/${container}?restype=container`);
const headers = { "x-ms-date": new Date().toUTCString(), "x-ms-version": "2022-11-02" };

// The string to sign of the service's shared-key scheme: eleven standard headers that are not sent, then the two above.
const signed = [
    "PUT",
    ...Array(11).fill(""),
    ...Object.entries(headers).map(([name, value]) => `${name}:${value}`),
    `/${account}${url.pathname}`,
    "restype:container",
].join("\n");
const signature = createHmac("sha256", Buffer.from(key, "base64")).update(signed).digest("base64");
headers.Authorization = `SharedKey ${account}:${signature}`;

fetch(url, { method: "PUT", headers }).then(
    async (answer) => {
        if (answer.status !== 201 && answer.status !== 409) {
            console.error(`container ${container}: ${answer.status} ${await answer.text()}`);
            process.exitCode = 1;
        }
    },
    (error) => {
        console.error(`container ${container}: ${error.cause ?? error}`);
        process.exitCode = 1;
    },
);
