// SPDX-License-Identifier: Apache-2.0

package coreyaml

// longest is how long an unknown name may be to get a hint; known ones are shorter.
const longest = 128

// nearest is the candidate with the fewest edits from s, the first of several, or "" when that is another word altogether:
// more than two edits, and more than one in five.
func nearest(s string, candidates []string) string {
	if len(s) > longest {
		return ""
	}
	best, least := "", max(2, len(s)/5)+1
	for _, c := range candidates {
		if d := distance(s, c); d < least {
			best, least = c, d
		}
	}
	return best
}

// distance counts the bytes to insert, remove or replace (Levenshtein).
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
