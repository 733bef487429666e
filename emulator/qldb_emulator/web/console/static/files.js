// Dropped files: sent in pieces, and what the server makes of them.

import { Refused, at, call, lines } from "./api.js";
import { element } from "./dom.js";

/** Send a file in pieces; its id.  told: is told of percent.  Throws Refused. */
export async function upload(file, told) {
  const { uploadId, pieceBytes } = await call("POST", "/_qldb/uploads");
  for (let offset = 0; offset < file.size; offset += pieceBytes) {
    const response = await fetch(at(`/_qldb/uploads/${uploadId}?offset=${offset}`), {
      method: "PUT",
      body: file.slice(offset, offset + pieceBytes),
      headers: { "Content-Type": "application/octet-stream" },
    });
    if (!response.ok) throw new Refused(response.status, await response.json().catch(() => ({})));
    told((100 * Math.min(file.size, offset + pieceBytes)) / file.size);
  }
  return uploadId;
}

/** Let the server verify or import an upload; its report.  Throws Refused. */
export async function work(uploadId, what, members, told) {
  const options = {
    method: "POST",
    body: JSON.stringify(members),
    headers: { "Content-Type": "application/json", Accept: "application/x-ndjson" },
  };
  try {
    for await (const line of lines(`/_qldb/uploads/${uploadId}/${what}`, options)) {
      if (line.error) throw new Refused(400, line.error);
      if (line.report) return line.report;
      told(line.progress);
    }
    throw new Refused(0, { Message: "The server ended without a report." });
  } finally {
    call("DELETE", `/_qldb/uploads/${uploadId}`).catch(() => {});
  }
}

/** A report as nodes. */
export function reportBox(report, by) {
  const facts = (report.facts ?? []).flatMap((fact) => [element("dt", {}, fact.name), element("dd", {}, fact.value)]);
  const list = (title, sentences) =>
    sentences?.length
      ? [element("h4", {}, title), element("ul", {}, ...sentences.map((each) => element("li", {}, each)))]
      : [];
  return element(
    "div",
    { class: `verdict ${report.verdict}` },
    element("h3", {}, report.text ?? report.verdict),
    by ? element("p", { class: "kind" }, by) : null,
    facts.length ? element("dl", {}, ...facts) : null,
    ...list(`What is wrong (${report.findingsTotal ?? report.findings?.length})`, report.findings),
    ...list("Not proved", report.notProved),
    ...list("To know", report.notes),
  );
}
