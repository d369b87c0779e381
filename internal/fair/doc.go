// SPDX-License-Identifier: Apache-2.0

// Package fair says who gets how much of what is scarce, and how much whose word counts.
//
// Whoever holds one certificate can make any number of host keys, and whoever holds a CA any number of certificates. So
// everything that a remote peer can fill is charged to an [Owner]: an identity, within an organization. Three rules, each
// pure:
//
//   - [Tally]: an identity has a bound of its own, and an organization gets one more place only as long as it has fewer than
//     are free. So one organization alone gets half of a table, two get a third each, and there is always room for the next.
//   - [Tally.Larger]: in a table where newcomers displace others, the organization with the most gives up its own, and in it the
//     identity with the most.
//   - [Poll]: an identity has one vote, and an organization at most as many as all others together.
//
// Host keys of one identity draw from one account. Where only one of them can stand for the identity, it is the one with the
// newest incarnation: that is the node which was set up last.
package fair
