package git

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Parts of a pack's index, version 2: a header, 256 running counts, and for each
// object its name, checksum and offset, with a second offset for those beyond
// two gigabytes; two checksums at the end.
const (
	indexMagic  = "\xfftOc\x00\x00\x00\x02"
	indexFanout = 256 * 4
	indexEntry  = 20 + 4 + 4
	indexLong   = 8
	indexSums   = 2 * 20
)

// checkIndexes looks at the sizes of all indexes of an objects folder. A damaged
// count in one would make its reader ask for any amount of memory.
func checkIndexes(folder string) error {
	names, err := packFiles(filepath.Join(folder, "pack"), ".idx")
	if err != nil {
		return err
	}
	for _, name := range names {
		if err := checkIndex(name); err != nil {
			return err
		}
	}
	return nil
}

// packFiles lists the files of packs with an extension.
func packFiles(folder, ext string) ([]string, error) {
	found, err := os.ReadDir(folder)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var names []string
	for _, file := range found {
		if strings.HasPrefix(file.Name(), "pack-") && strings.HasSuffix(file.Name(), ext) {
			names = append(names, filepath.Join(folder, file.Name()))
		}
	}
	return names, err
}

func checkIndex(name string) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	damage := fmt.Errorf("%w file %s", errDamaged, filepath.Base(name))
	head := make([]byte, len(indexMagic)+indexFanout)
	if _, err := io.ReadFull(f, head); err != nil || string(head[:len(indexMagic)]) != indexMagic {
		return damage
	}
	last := uint32(0)
	for counts := head[len(indexMagic):]; len(counts) > 0; counts = counts[4:] {
		count := binary.BigEndian.Uint32(counts)
		if count < last {
			return damage
		}
		last = count
	}
	rest := info.Size() - int64(len(head)) - indexSums - int64(last)*indexEntry
	if rest < 0 || rest%indexLong != 0 || rest/indexLong > int64(last) {
		return damage
	}
	return nil
}
