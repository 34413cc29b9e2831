/**
 * The answer to an event.
 *
 * An int outside ±(2^53 - 1) is a `bigint`, any other a `number`. To send an int outside that range,
 * pass a `bigint`: a `number` of that size may have been rounded and is sent as a float.
 */
export type Payload = boolean | number | bigint | string;

/**
 * Encodes params as JSON. The payload keeps all its digits and its type.
 *
 * @throws {TypeError} if the params are not an object, or contain a bigint outside the payload
 */
export function encode(params: object): string {
  const payload = (params as { payload?: unknown } | null)?.payload;
  if (typeof payload !== "number" && typeof payload !== "bigint") return objectLiteral(params);
  const others: Record<string, unknown> = { ...params, payload: undefined };
  if (typeof payload === "number" && !Number.isFinite(payload)) others.payloadType ??= "float";
  const text = objectLiteral(others);
  const separator = text === "{}" ? "" : ",";
  const literal = numberLiteral(payload);
  return `${text.slice(0, -1)}${separator}"payload":${literal}}`;
}

function objectLiteral(params: object): string {
  const text = JSON.stringify(params);
  if (!text?.startsWith("{")) throw new TypeError("params must be an object");
  return text;
}

function numberLiteral(value: number | bigint): string {
  if (typeof value === "bigint") return value.toString();
  if (!Number.isFinite(value)) return `"${value}"`;
  if (Object.is(value, -0)) return "-0"; // an int event reads it as 0
  // Plain digits would be read as an int, but a double of this size may have been rounded.
  const rounded = Number.isInteger(value) && !Number.isSafeInteger(value);
  return rounded ? value.toExponential() : JSON.stringify(value);
}

/** Converts the payload of every event within a value to its declared type, in place. */
export function decode<Value>(value: Value): Value {
  visit(value);
  return value;
}

function visit(value: unknown): void {
  if (typeof value !== "object" || value === null) return;
  for (const member of Array.isArray(value) ? value : Object.values(value)) visit(member);
  const { expectedType, payload } = value as { expectedType?: unknown; payload?: unknown };
  if (typeof payload === "string" && typeof expectedType === "string") {
    Object.assign(value, { payload: convert(payload, expectedType) });
  }
}

function convert(payload: string, type: string): Payload {
  if (type === "int" && /^-?\d+$/.test(payload)) {
    const whole = BigInt(payload);
    const small = Number(whole);
    return Number.isSafeInteger(small) ? small : whole;
  }
  if (type === "float" && /^(NaN|-?Infinity)$/.test(payload)) return Number(payload);
  return payload;
}
