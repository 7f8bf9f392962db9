/** Addresses as fields of configuration and workload files. @module */
import { isIP } from 'node:net';
import { z } from 'zod';
import { isLoopback, parseSocketAddress } from './addresses.ts';

export const socketAddress = z.string().refine((text) => parseSocketAddress(text) !== undefined, {
  error: ({ input }) => `${String(input)} is not address:port; write for example 127.0.0.1:15000 or [::1]:15000`,
});

/** Only this machine may connect: for listeners that ask for no credentials. */
export const loopbackAddress = socketAddress.refine((text) => isLoopback(parseSocketAddress(text)?.address ?? ''), {
  error: ({ input }) =>
    `${String(input)} can be reached from other machines, and this listener asks for no credentials; use 127.0.0.1 or [::1]`,
  abort: true,
});

export const ipLiteral = z.string().refine((text) => isIP(text) !== 0, {
  error: ({ input }) => `${String(input)} is not an IP address; write for example 10.0.0.7 or fd00::7`,
});

export const cidr = z.string().refine((text) => z.union([z.cidrv4(), z.cidrv6()]).safeParse(text).success, {
  error: ({ input }) => `${String(input)} is not a CIDR; write for example 10.0.0.0/8 or fd00::/8`,
});
