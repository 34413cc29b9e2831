/** Options of a call. */
export interface CallOptions {
  /**
   * Cancels the call. The promise resolves if the sidecar had already finished the request;
   * otherwise it rejects with an {@link AbortError}.
   */
  signal?: AbortSignal | undefined;
}

/** Sends requests for the method stubs. */
export interface Caller {
  /** Sends a request. The promise resolves to its result. */
  request<Result>(method: string, params: object, options?: CallOptions): Promise<Result>;

  /** Iterates over the items of all pages of a listing. `member` is the member that holds them. */
  pages<Item>(
    method: string,
    member: string,
    params: object,
    options?: CallOptions,
  ): AsyncGenerator<Item, void, void>;

  /** Iterates over the notifications of a watch. */
  watch<Notification, Result>(
    method: string,
    params: object,
    options?: CallOptions,
  ): AsyncGenerator<Notification, Result, void>;
}
