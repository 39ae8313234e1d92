/**
 * Which addresses an outgoing webhook may reach. The check is on the address the connection is made to, not on the name: a name
 * that answers with a public address at the check and a private one at the connection would pass any other test.
 */
import { lookup as dnsLookup } from "node:dns";
import { BlockList, isIP, type LookupFunction } from "node:net";
import { fail } from "../core/index.ts";

const PRIVATE_V4: readonly (readonly [string, number])[] = [
  ["0.0.0.0", 8],
  ["10.0.0.0", 8],
  ["100.64.0.0", 10],
  ["127.0.0.0", 8],
  ["169.254.0.0", 16],
  ["172.16.0.0", 12],
  ["192.0.0.0", 24],
  ["192.168.0.0", 16],
  ["198.18.0.0", 15],
  ["224.0.0.0", 4],
  ["240.0.0.0", 4],
];
const PRIVATE_V6: readonly (readonly [string, number])[] = [
  // Unspecified, loopback, and the deprecated form with an IPv4 address inside.
  ["::", 96],
  ["fc00::", 7],
  ["fe80::", 10],
  ["fec0::", 10],
  ["ff00::", 8],
  // Forms that carry an IPv4 address inside: mapped, translated, 6to4.
  ["::ffff:0:0", 96],
  ["64:ff9b::", 96],
  ["2002::", 16],
];

// Two lists: Node's BlockList reads an IPv4 address also as its mapped IPv6 form, which would block every IPv4 address.
const blockedV4 = new BlockList();
const blockedV6 = new BlockList();
for (const [address, prefix] of PRIVATE_V4) blockedV4.addSubnet(address, prefix, "ipv4");
for (const [address, prefix] of PRIVATE_V6) blockedV6.addSubnet(address, prefix, "ipv6");

/** True for loopback, link-local, private, multicast and metadata addresses, and for IPv6 forms that hide an IPv4 one. */
export function isPrivateAddress(address: string): boolean {
  const family = isIP(address);
  if (family === 4) return blockedV4.check(address, "ipv4");
  return family === 0 || blockedV6.check(address, "ipv6");
}

export function refused(host: string) {
  return fail("WEBHOOK_REFUSED", {
    message: `The webhook address ${JSON.stringify(host.slice(0, 120))} is private; alerts are not sent into the local network.`,
    remedy: "Use a public address, or set `allowPrivate: true` on this channel.",
  });
}

/** A DNS lookup for `http.request` that never gives a private address. */
export const publicLookup: LookupFunction = (hostname, options, callback) => {
  dnsLookup(hostname, { ...options, all: true }, (error, addresses) => {
    const found = Array.isArray(addresses) ? addresses : [];
    if (error !== null) {
      callback(error, "", 4);
      return;
    }
    const first = found[0];
    if (first === undefined || found.some(({ address }) => isPrivateAddress(address))) {
      callback(refused(hostname), "", 4);
      return;
    }
    if (options.all === true) callback(null, found);
    else callback(null, first.address, first.family);
  });
};
