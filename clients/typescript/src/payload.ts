/**
 * A value that answers an event.
 *
 * An int beyond ±(2^53 - 1) is a `bigint`, a smaller one a `number`. To answer with an int beyond
 * that, give a `bigint`: a `number` so large is sent as a float, since it may have been rounded.
 */
export type Payload = boolean | number | bigint | string;

/**
 * Writes params as JSON. Their payload is written so that no digit and no type is lost.
 *
 * @throws {TypeError} if they are no object, or a member that is not the payload is a bigint
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
  if (!text?.startsWith("{")) throw new TypeError("the params must be an object");
  return text;
}

function numberLiteral(value: number | bigint): string {
  if (typeof value === "bigint") return value.toString();
  if (!Number.isFinite(value)) return `"${value}"`;
  if (Object.is(value, -0)) return "-0"; // 0 to an int event
  // Digits alone would claim to be an int, of which a double may have lost the last ones.
  const rounded = Number.isInteger(value) && !Number.isSafeInteger(value);
  return rounded ? value.toExponential() : JSON.stringify(value);
}

/** Gives payloads the type that their event declares, in every event within a value, in place. */
export function decode<Value>(value: Value): Value {
  visit(value);
  return value;
}

function visit(value: unknown): void {
  if (typeof value !== "object" || value === null) return;
  for (const member of Array.isArray(value) ? value : Object.values(value)) visit(member);
  const { expectedType, payload } = value as { expectedType?: unknown; payload?: unknown };
  if (typeof payload === "string" && typeof expectedType === "string") {
    Object.assign(value, { payload: typed(payload, expectedType) });
  }
}

function typed(payload: string, type: string): Payload {
  if (type === "int" && /^-?\d+$/.test(payload)) {
    const whole = BigInt(payload);
    const small = Number(whole);
    return Number.isSafeInteger(small) ? small : whole;
  }
  if (type === "float" && /^(NaN|-?Infinity)$/.test(payload)) return Number(payload);
  return payload;
}
