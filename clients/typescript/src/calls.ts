/** How to make one call. */
export interface CallOptions {
  /**
   * Cancels the call. What was decided before is still told; else the call ends with an
   * {@link AbortError}.
   */
  signal?: AbortSignal | undefined;
}

/** What the methods of the sidecar are made of. */
export interface Calls {
  /** Sends a request and gives its result. */
  request<Result>(method: string, params: object, options?: CallOptions): Promise<Result>;

  /** Iterates over what the pages of a listing hold in one of their members. */
  pages<Item>(
    method: string,
    member: string,
    params: object,
    options?: CallOptions,
  ): AsyncGenerator<Item, void, void>;

  /** Opens a watch and iterates over what it tells. */
  watch<Notice, Result>(
    method: string,
    params: object,
    options?: CallOptions,
  ): AsyncGenerator<Notice, Result, void>;
}
