/** How much a label would tell: uncertainty of one probability vector, and disagreement of a committee of models. */
import { logDeterministic } from "../exp.ts";

/** 1 − largest probability. */
export function leastConfidence(probabilities: readonly number[]): number {
  return 1 - Math.max(...probabilities);
}

/** Largest minus second largest probability: the smaller, the more a label tells. The best single default. */
export function margin(probabilities: readonly number[]): number {
  const [first = 0, second = 0] = [...probabilities].sort((a, b) => b - a);
  return first - second;
}

/** Shannon entropy in nats. */
export function entropy(probabilities: readonly number[]): number {
  let sum = 0;
  for (const p of probabilities) if (p > 0) sum -= p * logDeterministic(p);
  return sum;
}

export interface CommitteeDisagreement {
  readonly consensus: readonly number[];
  /** Entropy of the mean minus mean entropy (BALD): what the members disagree about; 0 when they agree, even on one half. */
  readonly mutualInformation: number;
  /** Entropy of the members' votes, in nats. */
  readonly voteEntropy: number;
  /** Share of members that do not vote with the majority. */
  readonly variationRatio: number;
}

/** Disagreement of at least one member; each is a probability vector over the same classes. A vote is the first largest class. */
export function committeeDisagreement(members: readonly (readonly number[])[]): CommitteeDisagreement {
  const classes = members[0]?.length ?? 0;
  const consensus = Array.from({ length: classes }, (_, j) => {
    const sum = members.reduce((total, member) => total + (member[j] as number), 0);
    return sum / members.length;
  });
  const meanEntropy = members.reduce((sum, member) => sum + entropy(member), 0) / members.length;
  const votes = new Array<number>(classes).fill(0);
  for (const member of members) {
    const vote = member.indexOf(Math.max(...member));
    votes[vote] = (votes[vote] as number) + 1;
  }
  return {
    consensus,
    mutualInformation: Math.max(0, entropy(consensus) - meanEntropy),
    voteEntropy: entropy(votes.map((count) => count / members.length)),
    variationRatio: 1 - Math.max(...votes) / members.length,
  };
}
