/**
 * Who may ask. On loopback without a token the caller is the person at the machine: admin. That is safe only because the Host
 * allow-list stops DNS rebinding and the Origin check stops other sites' pages; both hold for every request. A request that a
 * proxy forwarded is not the person at the machine and needs a token, and so does every request when the server listens beyond
 * loopback or is told to ask.
 */
import type { IncomingMessage } from "node:http";
import { fail, type Logger, type Role, type Store, type SystemClock, type TokenRecord } from "../core/index.ts";
import type { TokenScope } from "./contract.ts";
import { findToken, hashSecret, hasRole, sameDigest } from "./tokens.ts";

export interface Actor {
  readonly name: string;
  readonly role: Role;
}
export interface AccessRule {
  readonly role: Role;
  /** A token with scopes passes only where one of them is named. */
  readonly scope?: TokenScope;
  /** The token may also come as the password of HTTP Basic: some callers know nothing else. Never on routes of pages. */
  readonly basic?: boolean;
}
export interface AccessOptions {
  readonly store: Store;
  readonly systemClock: SystemClock;
  readonly logger: Logger;
  readonly allowedHosts: readonly string[];
  /** Asked at each request: listening beyond loopback turns it on. */
  readonly requireTokens: () => boolean;
  /** A bootstrap secret of role admin, from the environment; never stored. */
  readonly adminSecret?: string;
}

/** Tokens revoked through another process must stop within a second. */
const TOKEN_CACHE_MS = 1000;
const LOOPBACK = /^(localhost|127(?:\.\d{1,3}){3}|\[::1\])(:\d{1,5})?$/i;
const LOCAL: Actor = { name: "local", role: "admin" };

export function isLoopback(host: string): boolean {
  return LOOPBACK.test(host.includes(":") && !host.startsWith("[") ? `[${host}]` : host);
}

export class Access {
  readonly #options: AccessOptions;
  readonly #adminHash: string | undefined;
  #tokens: readonly TokenRecord[] = [];
  #readAt = Number.NEGATIVE_INFINITY;
  #reading: Promise<void> | undefined;
  /** Host headers that passed; a handful in practice, and never more than this. */
  readonly #knownHosts = new Set<string>();

  constructor(options: AccessOptions) {
    this.#options = options;
    this.#adminHash = options.adminSecret === undefined ? undefined : hashSecret(options.adminSecret);
  }

  /** True when somebody could pass a token check. */
  async hasAnyToken(): Promise<boolean> {
    if (this.#options.adminSecret !== undefined) return true;
    const now = this.#options.systemClock.now();
    const tokens = await this.#options.store.settings.tokens();
    return tokens.some((token) => token.revokedAt === undefined && (token.expiresAt ?? Number.POSITIVE_INFINITY) > now);
  }

  /** The tokens changed: the next request reads them again. */
  forget(): void {
    this.#readAt = Number.NEGATIVE_INFINITY;
  }

  /** Refuses foreign Host and Origin headers. @throws HOST_REFUSED */
  checkSource(request: IncomingMessage): void {
    const { headers } = request;
    const host = headers.host ?? "";
    if (!this.#knownHosts.has(host)) this.#admitHost(host);
    const { method } = request;
    if (
      method !== "GET" &&
      method !== "HEAD" &&
      (headers.origin !== undefined || headers["sec-fetch-site"] !== undefined)
    ) {
      this.#checkOrigin(headers.origin, host, headers["sec-fetch-site"]);
    }
  }

  #admitHost(host: string): void {
    const { allowedHosts, requireTokens } = this.#options;
    const bare = host.replace(/:\d{1,5}$/, "").toLowerCase();
    const isListed = allowedHosts.some(
      (allowed) => allowed.toLowerCase() === bare || allowed.toLowerCase() === host.toLowerCase(),
    );
    // With tokens demanded of everybody a rebound name gains nothing; a list, where given, still holds.
    const isOpen = requireTokens() && allowedHosts.length === 0 && host !== "";
    if (!LOOPBACK.test(host) && !isListed && !isOpen) {
      throw fail("HOST_REFUSED", {
        message: `The Host header ${JSON.stringify(host.slice(0, 80))} is not one this server answers to.`,
        remedy: "Use localhost, or add the name to server.allowedHosts.",
      });
    }
    if (this.#knownHosts.size < 100) this.#knownHosts.add(host);
  }

  #checkOrigin(origin: string | undefined, host: string, site: string | string[] | undefined): void {
    const { allowedHosts } = this.#options;
    let from = "";
    if (origin !== undefined) {
      try {
        from = new URL(origin).host.toLowerCase();
      } catch {
        from = "null";
      }
    }
    const sameHost = origin === undefined || from === host.toLowerCase();
    const isListed = allowedHosts.some((allowed) => allowed.toLowerCase() === from);
    if ((sameHost && site !== "cross-site") || isListed) return;
    throw fail("HOST_REFUSED", {
      message: `A page of ${JSON.stringify((origin ?? "another site").slice(0, 80))} asked for a change; only this server's own pages may.`,
      remedy: "Open the console at this server's address, or add the page's host to server.allowedHosts.",
    });
  }

  /** The caller's name and role, synchronously where no token was sent. @throws UNAUTHENTICATED, FORBIDDEN */
  admit(request: IncomingMessage, rule: AccessRule): Actor | Promise<Actor> {
    const { headers } = request;
    if (headers.authorization === undefined) {
      const isForwarded = headers["x-forwarded-for"] !== undefined || headers.forwarded !== undefined;
      if (this.#options.requireTokens() || isForwarded) throw unauthenticated("The request carries no token.");
      return LOCAL;
    }
    return this.#admitToken(headers.authorization, rule);
  }

  async #admitToken(header: string, rule: AccessRule): Promise<Actor> {
    const secret = /^Bearer +(\S+)$/i.exec(header)?.[1] ?? (rule.basic === true ? basicPassword(header) : undefined);
    if (secret === undefined) throw unauthenticated("The Authorization header is not of the form `Bearer <token>`.");
    if (this.#adminHash !== undefined && sameDigest(hashSecret(secret), this.#adminHash)) {
      return { name: "token:environment", role: "admin" };
    }
    const now = this.#options.systemClock.now();
    const tokens = await this.#currentTokens();
    const token = findToken(tokens, secret, now);
    if (token === undefined) throw unauthenticated("The token is unknown, expired or revoked.");
    if (!hasRole(token.role, rule.role)) {
      throw fail("FORBIDDEN", {
        message: `The token "${token.name}" has the role ${token.role}; this needs ${rule.role}.`,
        remedy: "Use a token of that role.",
      });
    }
    const isInScope = token.scopes.length === 0 || (rule.scope !== undefined && token.scopes.includes(rule.scope));
    if (!isInScope) {
      throw fail("FORBIDDEN", {
        message: `The token "${token.name}" is limited to ${token.scopes.join(", ")}.`,
        remedy: "Use a token without scopes, or with the scope of this route.",
      });
    }
    return { name: `token:${token.name}`, role: token.role };
  }

  async #currentTokens(): Promise<readonly TokenRecord[]> {
    const now = this.#options.systemClock.monotonicMs();
    if (now - this.#readAt > TOKEN_CACHE_MS) {
      this.#reading ??= this.#read(now).finally(() => {
        this.#reading = undefined;
      });
      await this.#reading;
    }
    return this.#tokens;
  }

  async #read(now: number): Promise<void> {
    try {
      this.#tokens = await this.#options.store.settings.tokens();
      this.#readAt = now;
    } catch (error) {
      // The store is down: known tokens keep predicting; nobody new gets in.
      this.#options.logger.warn({ error: String(error) }, "tokens could not be read; the last known ones hold");
      this.#readAt = now;
    }
  }
}

/** What stands behind the colon of Basic credentials. */
function basicPassword(header: string): string | undefined {
  const encoded = /^Basic +([A-Za-z0-9+/=]+)$/i.exec(header)?.[1];
  const text = encoded === undefined ? "" : Buffer.from(encoded, "base64").toString("utf8");
  const at = text.indexOf(":");
  return at === -1 ? undefined : text.slice(at + 1);
}

function unauthenticated(message: string) {
  return fail("UNAUTHENTICATED", {
    message,
    remedy:
      "Send `Authorization: Bearer rt_…`; an admin makes one with `retrain tokens create`. Commands take it by --token or RETRAIN_TOKEN.",
  });
}
