import type { Attack } from '../attack.ts';
import { conformance } from './conformance.ts';
import { CONTENTION } from './contention.ts';
import { FAULTS } from './faults.ts';

/** In this order: what is found out quickly comes first, and what costs a replica last. */
export const ATTACKS: readonly Attack[] = [conformance, ...CONTENTION, ...FAULTS];

export const ATTACK_NAMES = ATTACKS.map(({ name }) => name);
