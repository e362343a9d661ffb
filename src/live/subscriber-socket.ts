import type { Socket } from "node:net";
import type { WebSocket } from "ws";
import type { Front } from "../api/front.ts";
import { InputError } from "../errors.ts";
import { decodeFrame, errorMessage, idOf, messageFrame } from "./protocol.ts";

/** Subscriptions of one socket. */
const subscriptionsMax = 100;

/** A WebSocket and the connection below it; no extension of the protocol is in use. */
export interface Wires {
  readonly ws: WebSocket;
  readonly socket: Socket;
  /** Messages are MessagePack, not JSON. */
  readonly packed: boolean;
}

interface Unsubscribe {
  readonly type: "unsubscribe";
  readonly id: string;
}

/** What subscriptions of a socket are: `M` asks for one, `S` is one. */
export interface Subscribing<M, S> {
  /** Checks what a frame of the subscriber holds. */
  read(document: unknown): M | Unsubscribe;
  begin(message: M): S;
  end(subscription: S): void;
  /** The socket has room again. */
  resume(subscription: S): void;
}

/** A socket with subscriptions, which is fed as fast as its reader takes what was sent, and no faster. */
export class SubscriberSocket<M extends { type: "subscribe"; id: string }, S> {
  readonly #front: Front;
  readonly #wires: Wires;
  readonly #subscribing: Subscribing<M, S>;
  readonly #subscriptions = new Map<string, S>();
  #behind = false;
  /** One for all frames: there are many. */
  readonly #sent = (): void => this.#balance();

  constructor(front: Front, wires: Wires, subscribing: Subscribing<M, S>) {
    this.#front = front;
    this.#wires = wires;
    this.#subscribing = subscribing;
    wires.ws.on("close", () => {
      for (const id of [...this.#subscriptions.keys()]) this.remove(id);
    });
    wires.ws.on("message", (frame: Buffer, isBinary: boolean) => this.#take(frame, isBinary));
  }

  get packed(): boolean {
    return this.#wires.packed;
  }

  get subscriptions(): Iterable<S> {
    return this.#subscriptions.values();
  }

  /** True while more is waiting to be sent than may be held back. */
  isBehind(): boolean {
    this.#behind ||= this.#wires.ws.bufferedAmount > this.#front.config.subscriberBufferBytes;
    return this.#behind;
  }

  /** Sends a message to this subscriber alone. */
  tell(message: object): void {
    this.send(messageFrame(message, this.packed));
  }

  /** The same for one that is encoded: as text for JSON, as bytes for MessagePack. */
  send(message: string | Uint8Array): void {
    if (this.#counted()) this.#wires.ws.send(message, this.#sent);
  }

  /**
   * Sends a `readyFrame`, which many sockets share. It goes past `ws`, which writes its own frames whole and at once
   * as long as nothing compresses them.
   */
  write(frame: Buffer): void {
    if (this.#counted()) this.#wires.socket.write(frame, this.#sent);
  }

  /** A subscription that fails has ended. */
  failed(id: string, error: unknown): void {
    this.remove(id);
    this.#tellError(error, id);
  }

  /** False: there is none. */
  remove(id: string): boolean {
    const subscription = this.#subscriptions.get(id);
    if (subscription === undefined) return false;
    this.#subscriptions.delete(id);
    this.#subscribing.end(subscription);
    return true;
  }

  #counted(): boolean {
    const { ws } = this.#wires;
    if (ws.readyState !== ws.OPEN) return false;
    this.#front.counters.frames.out++;
    return true;
  }

  #take(frame: Buffer, isBinary: boolean): void {
    this.#front.counters.frames.in++;
    let id: string | undefined;
    try {
      const document = decodeFrame(frame, isBinary);
      id = idOf(document);
      const message = this.#subscribing.read(document);
      if (message.type === "subscribe") this.#subscribe(message);
      else this.#unsubscribe(message.id);
    } catch (error) {
      this.#tellError(error, id);
    }
  }

  #subscribe(message: M): void {
    const { id } = message;
    if (this.#subscriptions.has(id)) {
      throw new InputError("subscription_exists", `there is a subscription ${id} on this socket`);
    }
    if (this.#subscriptions.size >= subscriptionsMax) {
      const problem = `got ${subscriptionsMax + 1} subscriptions, want at most ${subscriptionsMax}`;
      throw new InputError("too_many_subscriptions", problem);
    }
    this.#subscriptions.set(id, this.#subscribing.begin(message));
  }

  #unsubscribe(id: string): void {
    if (!this.remove(id)) {
      throw new InputError("no_such_subscription", `there is no subscription ${id} on this socket`);
    }
    this.tell({ type: "unsubscribed", id });
  }

  #tellError(error: unknown, id?: string): void {
    this.tell(errorMessage(this.#front.log, error, id));
  }

  #balance(): void {
    // Half empty before it goes on, so that a slow reader is not woken for every frame.
    if (!this.#behind) return;
    if (this.#wires.ws.bufferedAmount > this.#front.config.subscriberBufferBytes / 2) return;
    this.#behind = false;
    for (const subscription of this.#subscriptions.values()) this.#subscribing.resume(subscription);
  }
}
