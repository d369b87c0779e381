// SPDX-License-Identifier: Apache-2.0

package channelconfig_test

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
)

// Configuration blocks of a chain repeat each other, farther apart than gzip looks. packed writes a text as pieces: a
// length and an offset, both uvarints. Offset 0 precedes a literal of that length; offset n > 0 repeats what begins at
// byte n-1 of the text.
func packed(text []byte) []byte {
	const grain = 24
	var out []byte
	seen := make(map[[grain]byte]int)
	start := 0 // of the literal that is not written yet
	literal := func(end int) {
		if end > start {
			out = binary.AppendUvarint(binary.AppendUvarint(out, uint64(end-start)), 0)
			out = append(out, text[start:end]...)
		}
	}
	indexed := 0
	for i := 0; i+grain <= len(text); {
		from, known := seen[[grain]byte(text[i:])]
		if !known {
			i++
		} else {
			n := grain
			for i+n < len(text) && text[from+n] == text[i+n] {
				n++
			}
			literal(i)
			out = binary.AppendUvarint(binary.AppendUvarint(out, uint64(n)), uint64(from+1))
			i += n
			start = i
		}
		for ; indexed+grain <= i; indexed += 4 {
			key := [grain]byte(text[indexed:])
			if _, there := seen[key]; !there {
				seen[key] = indexed
			}
		}
	}
	literal(len(text))
	return out
}

var errPacked = errors.New("not a packed text")

func unpacked(in []byte) (text []byte, err error) {
	number := func() int {
		n, size := binary.Uvarint(in)
		if size <= 0 {
			err = errPacked
			return 0
		}
		in = in[size:]
		return int(n)
	}
	for len(in) > 0 && err == nil {
		length, offset := number(), number()
		switch {
		case err != nil || length < 0 || offset > len(text) || offset == 0 && length > len(in):
			return nil, errPacked
		case offset == 0:
			text, in = append(text, in[:length]...), in[length:]
		default:
			for i := range length { // a repetition may reach into itself
				text = append(text, text[offset-1+i])
			}
		}
	}
	return text, err
}

// writeArchive packs a text into a file.
func writeArchive(t testing.TB, path string, text []byte) {
	t.Helper()
	var out bytes.Buffer
	w, err := gzip.NewWriterLevel(&out, gzip.BestCompression)
	require.NoError(t, err)
	_, err = w.Write(packed(text))
	require.NoError(t, err)
	require.NoError(t, w.Close())
	require.NoError(t, os.WriteFile(path, out.Bytes(), 0o600))
}

func readArchive(t testing.TB, path string) []byte {
	t.Helper()
	f, err := os.Open(path)
	require.NoError(t, err)
	defer f.Close()
	r, err := gzip.NewReader(f)
	require.NoError(t, err)
	in, err := io.ReadAll(r)
	require.NoError(t, err)
	text, err := unpacked(in)
	require.NoError(t, err)
	return text
}
