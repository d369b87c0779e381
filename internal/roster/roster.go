// SPDX-License-Identifier: Apache-2.0

// Package roster keeps in a file where members of a node's channels were last, so that a node that starts again finds the others even if nobody
// is left at its bootstrap addresses. What it says is a hint and no more: whoever is dialed there proves who it is.
package roster

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
)

const (
	// MaxEntries is how many members are kept: any one of them introduces a node to all others.
	MaxEntries = 32
	// MaxAddrs is how many addresses of a member are kept: it listens on TCP and on QUIC.
	MaxAddrs = 2
	// MaxAge is how old an entry may be.
	MaxAge = 30 * 24 * time.Hour
	// MaxFile is how long a file may be, in bytes: 250 for each address.
	MaxFile = 16 << 10
)

// ErrFile: a file is not a roster.
var ErrFile = errors.New("roster: not a list of members")

// Entry is one member.
type Entry struct {
	Seen time.Time // when it was last heard of
	peer.AddrInfo
}

// Dials returns the addresses of all entries, as multiaddrs with the peer ID.
func Dials(entries []Entry) (addrs []string) {
	for _, e := range entries {
		for _, a := range e.Addrs {
			addrs = append(addrs, fmt.Sprintf("%s/p2p/%s", a, e.ID))
		}
	}
	return addrs
}

// Merge returns what to keep: those of now, then those of before whom it does not name and who are not too old, the latest first.
func Merge(current, before []Entry, now time.Time) (kept []Entry) {
	latest := func(a, b Entry) int { return cmp.Or(b.Seen.Compare(a.Seen), cmp.Compare(a.ID, b.ID)) }
	named := map[peer.ID]bool{}
	for _, e := range slices.Concat(slices.SortedFunc(slices.Values(current), latest), slices.SortedFunc(slices.Values(before), latest)) {
		if named[e.ID] || len(e.Addrs) == 0 || len(kept) == MaxEntries || now.Sub(e.Seen) > MaxAge {
			continue
		}
		named[e.ID] = true
		e.Addrs = e.Addrs[:min(len(e.Addrs), MaxAddrs)]
		kept = append(kept, e)
	}
	return kept
}

// Read reads a file; none is no error. Entries that are too old are left out. A file that is damaged gives [ErrFile] and nothing else.
func Read(path string, now time.Time) ([]Entry, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // it was only read
	data, err := io.ReadAll(io.LimitReader(f, MaxFile+1))
	if err != nil {
		return nil, err
	}
	entries, err := Decode(data, now)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return entries, nil
}

// Decode reads the content of a file: a line for each member, with the time and its addresses. No time is later than now.
func Decode(data []byte, now time.Time) (entries []Entry, err error) {
	if len(data) > MaxFile {
		return nil, fmt.Errorf("%w: it has more than %d bytes", ErrFile, MaxFile)
	}
	for line := range strings.Lines(string(data)) {
		e, err := decode(strings.Fields(line))
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrFile, err)
		}
		if e.Seen.After(now) {
			e.Seen = now
		}
		entries = append(entries, e)
	}
	return Merge(entries, nil, now), nil
}

func decode(words []string) (e Entry, err error) {
	if len(words) < 2 || len(words) > 1+MaxAddrs {
		return e, fmt.Errorf("a line has %d words", len(words))
	}
	if e.Seen, err = time.Parse(time.RFC3339, words[0]); err != nil {
		return e, err
	}
	for _, word := range words[1:] {
		info, err := peer.AddrInfoFromString(word)
		switch {
		case err != nil:
			return e, err
		case len(info.Addrs) != 1 || e.ID != "" && e.ID != info.ID:
			return e, fmt.Errorf("%s is no address of the one member of its line", word)
		}
		e.ID, e.Addrs = info.ID, append(e.Addrs, info.Addrs[0])
	}
	return e, nil
}

// Write replaces a file; after a crash it holds the old entries or the new ones. Only its owner may read it.
func Write(path string, entries []Entry) error {
	var text strings.Builder
	for _, e := range entries {
		fmt.Fprintln(&text, e.Seen.UTC().Format(time.RFC3339), strings.Join(Dials([]Entry{e}), " "))
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".members-*") // mode 0600
	if err != nil {
		return err
	}
	_, err = f.WriteString(text.String())
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}

// Same reports whether two lists name the same members at the same addresses, in the same order.
func Same(a, b []Entry) bool {
	return slices.EqualFunc(a, b, func(a, b Entry) bool {
		return a.ID == b.ID && slices.EqualFunc(a.Addrs, b.Addrs, ma.Multiaddr.Equal)
	})
}
