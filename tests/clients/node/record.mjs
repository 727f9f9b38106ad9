// Asks what it is told on standard input, and says as JSON what OpenAI's package for Node saw of each call.
//
// {"base_url", "api_key", "recording": base64, "asks": [{"name", "call", "body"}]} -> [record, …]
import OpenAI, { toFile } from "openai";

async function read(stream) {
  const pieces = [];
  for await (const piece of stream) pieces.push(piece);
  return Buffer.concat(pieces).toString("utf8");
}

async function prepared(body, recording) {
  const given = { ...body };
  for (const [name, value] of Object.entries(body)) {
    const file = (each) => toFile(recording, each.$file, { type: "audio/wav" });
    if (value?.$file) given[name] = await file(value);
    if (value?.[0]?.$file) given[name] = await Promise.all(value.map(file));
  }
  return given;
}

function failed(error, events) {
  const seen = { class: error.constructor.name, events, message: error.message };
  if (error instanceof OpenAI.APIError) {
    for (const name of ["status", "code", "param", "type", "error"]) seen[name] = error[name] ?? null;
    seen.headers = Object.fromEntries(error.headers ?? []);
  }
  return seen;
}

async function record(client, ask, recording) {
  const events = [];
  try {
    const path = ask.call.split(".");
    const method = path.pop().replace(/_(.)/g, (_, letter) => letter.toUpperCase());
    const resource = path.reduce((owner, name) => owner[name], client);
    const { data, response } = await resource[method](await prepared(ask.body, recording)).withResponse();
    const came = { status: response.status, headers: Object.fromEntries(response.headers) };
    if (data instanceof Response) return { ...came, answer: Buffer.from(await data.arrayBuffer()).toString("base64") };
    if (!ask.body.stream) return { ...came, answer: data };
    for await (const event of data) events.push(event);
    return { ...came, events };
  } catch (error) {
    return failed(error, events);
  }
}

const told = JSON.parse(await read(process.stdin));
const client = new OpenAI({ baseURL: told.base_url, apiKey: told.api_key, maxRetries: 0 });
const recording = Buffer.from(told.recording, "base64");
const records = [];
for (const ask of told.asks) records.push(await record(client, ask, recording));
process.stdout.write(JSON.stringify(records));
