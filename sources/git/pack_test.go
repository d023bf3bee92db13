package git

import (
	"bytes"
	"compress/zlib"
	"context"
	"crypto/sha1"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/go-git/go-git/v5/plumbing"

	"github.com/berthdev/berth/schema"
)

// packOf builds a pack of raw objects: type and claimed size, extra bytes of
// the header, content.
type rawObject struct {
	t       plumbing.ObjectType
	size    int
	extra   []byte
	content []byte
}

func packOf(objects ...rawObject) []byte {
	var b bytes.Buffer
	b.WriteString("PACK\x00\x00\x00\x02")
	_ = binary.Write(&b, binary.BigEndian, uint32(len(objects)))
	for _, o := range objects {
		size := o.size
		head := []byte{byte(o.t)<<4 | byte(size&0x0f)}
		for size >>= 4; size > 0; size >>= 7 {
			head[len(head)-1] |= 0x80
			head = append(head, byte(size&0x7f))
		}
		b.Write(head)
		b.Write(o.extra)
		z := zlib.NewWriter(&b)
		_, _ = z.Write(o.content)
		_ = z.Close()
	}
	sum := sha1.Sum(b.Bytes())
	b.Write(sum[:])
	return b.Bytes()
}

func store(t testing.TB, pack []byte) (*generation, error) {
	g, err := newGeneration(t.TempDir())
	must(t, err)
	return g, g.receive(context.Background(), bytes.NewReader(pack), 1<<20)
}

func TestHostilePacks(t *testing.T) {
	missing := bytes.Repeat([]byte{7}, 20)
	huge := []byte{0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x7f}
	for name, test := range map[string]struct {
		pack []byte
		want error
	}{
		"longer than it says":      {packOf(rawObject{plumbing.BlobObject, 1, nil, []byte("long")}), errDamaged},
		"shorter than it says":     {packOf(rawObject{plumbing.BlobObject, 9, nil, []byte("short")}), errDamaged},
		"too large":                {packOf(rawObject{plumbing.BlobObject, maxObjectSize + 1, nil, []byte("x")}), errTooLarge},
		"delta to too much":        {packOf(rawObject{plumbing.REFDeltaObject, 10, missing, append([]byte{1}, huge...)}), errTooLarge},
		"delta from too much":      {packOf(rawObject{plumbing.REFDeltaObject, 10, missing, append(huge, 1)}), errTooLarge},
		"delta without sizes":      {packOf(rawObject{plumbing.REFDeltaObject, 0, missing, nil}), errTooLarge},
		"delta to what is missing": {packOf(rawObject{plumbing.REFDeltaObject, 3, missing, []byte{1, 1, 0x90}}), errDamaged},
		"unknown type":             {packOf(rawObject{5, 1, nil, []byte("x")}), errDamaged},
		"no zlib":                  {append([]byte("PACK\x00\x00\x00\x02\x00\x00\x00\x01\x31nozlib"), missing...), errDamaged},
		"larger than the limit":    {append(packOf(), make([]byte, 2<<20)...), errTooLarge},
	} {
		t.Run(name, func(t *testing.T) {
			g, err := store(t, test.pack)
			if !errors.Is(err, test.want) {
				t.Errorf("error is %v, want %v", err, test.want)
			}
			if left, _ := os.ReadDir(packFolder(g.folder)); len(left) > 0 {
				t.Errorf("left behind: %v", left)
			}
		})
	}
}

func TestThinPackIsCompleted(t *testing.T) {
	base := []byte(strings.Repeat("a line of the base\n", 20))
	g, err := store(t, packOf(rawObject{plumbing.BlobObject, len(base), nil, base}))
	must(t, err)
	baseHash := plumbing.ComputeHash(plumbing.BlobObject, base)
	// Copy the whole base (380 bytes), then insert two.
	delta := []byte{0xfc, 0x02, 0xfe, 0x02, 0xb0, 0x7c, 0x01, 0x02, '!', '\n'}
	must(t, g.receive(context.Background(), bytes.NewReader(packOf(rawObject{plumbing.REFDeltaObject, len(delta), baseHash[:], delta})), 1<<20))
	want := append(bytes.Clone(base), '!', '\n')
	got, err := g.objects.get(plumbing.ComputeHash(plumbing.BlobObject, want), plumbing.BlobObject, 1000)
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("object is %q, %v", got, err)
	}
	names, err := packFiles(packFolder(g.folder), ".pack")
	must(t, err)
	for _, name := range names {
		runGit(t, g.folder, "verify-pack", name)
	}
}

func TestStorePackEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	folder := t.TempDir()
	_, err := storePack(ctx, folder, &objects{folder: folder}, bytes.NewReader(packOf(rawObject{plumbing.BlobObject, 1, nil, []byte("x")})), 1000)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error is %v", err)
	}
}

func TestReadLimit(t *testing.T) {
	content := []byte("0123456789")
	g, err := store(t, packOf(rawObject{plumbing.BlobObject, len(content), nil, content}))
	must(t, err)
	tr := &tree{store: g.objects}
	hash := hashObject("blob", content)
	if data, err := tr.Read(context.Background(), hash, 10); err != nil || !bytes.Equal(data, content) {
		t.Errorf("read %q, %v", data, err)
	}
	_, err = tr.Read(context.Background(), hash, 9)
	wantError(t, err, schema.Invalid, "too large")
}

// A loose object may unfold to any size; its header is believed only as far as
// the limit.
func TestLooseObjectIsNotUnfolded(t *testing.T) {
	r := newRepo(t)
	large := filepath.Join(r.dir, "large")
	must(t, os.WriteFile(large, make([]byte, 64<<20), 0o644))
	hash := r.git("hash-object", "-w", "large")
	o := &objects{folder: filepath.Join(r.dir, ".git"), live: true}
	before := testing.AllocsPerRun(1, func() {
		_, err := o.get(plumbing.NewHash(hash), plumbing.BlobObject, 1<<20)
		if !errors.Is(err, errTooLarge) {
			t.Errorf("error is %v", err)
		}
	})
	if before > 10_000 {
		t.Errorf("%v allocations", before)
	}
}

func FuzzStorePack(f *testing.F) {
	f.Add(packOf())
	f.Add(packOf(rawObject{plumbing.BlobObject, 1, nil, []byte("x")}, rawObject{plumbing.TreeObject, 0, nil, nil}))
	f.Add(packOf(rawObject{plumbing.BlobObject, 1, nil, []byte("x")}, rawObject{plumbing.OFSDeltaObject, 4, []byte{10}, []byte{1, 1, 0x90, 1}}))
	f.Add(packOf(rawObject{plumbing.REFDeltaObject, 4, bytes.Repeat([]byte{1}, 20), []byte{1, 1, 0x90, 1}}))
	f.Add([]byte("PACK\x00\x00\x00\x02\xff\xff\xff\xff"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 20 { // else no input would ever get past the checksum
			sum := sha1.Sum(data[:len(data)-20])
			data = append(bytes.Clone(data[:len(data)-20]), sum[:]...)
		}
		g, err := store(t, data)
		if err != nil {
			return
		}
		// What is accepted can be read, or is said to be damaged; it never panics.
		must(t, g.measure())
		_, _ = g.objects.has(plumbing.NewHash(strings.Repeat("1", 40)))
	})
}

func FuzzReadRefs(f *testing.F) {
	hash := strings.Repeat("a", 40)
	f.Add([]byte(flushPkt))
	f.Add(append(appendPkt(nil, "%s HEAD\x00side-band-64k symref=HEAD:refs/heads/main\n", hash), flushPkt...))
	f.Add([]byte("001e# service=git-upload-pack\n0000" + string(appendPkt(nil, "%s refs/tags/v1.0.0\x00shallow", hash)) + string(appendPkt(nil, "%s refs/tags/v1.0.0^{}\n", hash)) + flushPkt))
	f.Add([]byte("000eversion 1\n0000"))
	f.Add([]byte("0009ERR x"))
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, ref := range []string{"", "main", "^1", hash} {
			spec, err := parseRef(ref)
			must(t, err)
			res := &resolver{spec: spec, wantTips: true}
			if _, err := readRefs(bytes.NewReader(data), res); err != nil {
				continue
			}
			if got, err := res.result(); err == nil && got.name != "" && checkRefName(got.name) != nil {
				t.Errorf("ref %q is at %q", ref, got.name)
			}
		}
	})
}

func FuzzReadAnswer(f *testing.F) {
	f.Add([]byte("0008NAK\n0000"), 0)
	f.Add([]byte("0035shallow "+strings.Repeat("a", 40)+"\n00000008NAK\n0009\x01PACK0000"), 1)
	f.Add([]byte("0008NAK\n0009\x03oops"), 0)
	f.Fuzz(func(_ *testing.T, data []byte, depth int) {
		if pack, err := readAnswer(bytes.NewReader(data), depth%2); err == nil {
			_, _ = io.Copy(io.Discard, pack)
		}
	})
}

// BenchmarkUpdateOneOf10000 measures what one changed file among ten thousand
// costs from the poll to the list of changes, and how that compares with a
// shallow fetch by the git binary from the same server.
func BenchmarkUpdateOneOf10000(b *testing.B) {
	r := newRepo(b)
	var files []string
	for i := range 10_000 {
		files = append(files, filepath.Join("apps", "group"+string(rune('a'+i/1000)), "dir"+string(rune('a'+i/100%10)), "app"+strings.Repeat("x", i%7)+string(rune('0'+i%10))+string(rune('0'+i/10%10)), "manifest.yaml"), "version: 1\n# "+strings.Repeat("line\n", i%50))
	}
	r.push("first", files...)
	s := newServer(b, r)
	src := open(b, Options{Dir: openDir(b), URL: s.repoURL()})
	last := update(b, src)
	clone := filepath.Join(b.TempDir(), "clone.git")
	runGit(b, r.dir, "clone", "-q", "--bare", "--depth", "1", s.repoURL(), clone)
	b.ResetTimer()
	var ours, theirs float64
	for i := range b.N {
		b.StopTimer()
		r.push("next", files[2*(i%10_000)], "version: 2 "+strings.Repeat("x", i))
		b.StartTimer()
		start := b.Elapsed()
		snap := update(b, src)
		changed := changes(b, last, snap)
		ours += (b.Elapsed() - start).Seconds()
		if len(changed) != 1 {
			b.Fatalf("changes are %q", changed)
		}
		last = snap
		start = b.Elapsed()
		fetch := exec.Command("git", "fetch", "-q", "--depth", "1", "origin", "main")
		fetch.Dir, fetch.Env = clone, gitEnv()
		if out, err := fetch.CombinedOutput(); err != nil {
			b.Fatalf("git fetch: %v\n%s", err, out)
		}
		theirs += (b.Elapsed() - start).Seconds()
	}
	b.ReportMetric(1e3*ours/float64(b.N), "berth-ms/op")
	b.ReportMetric(1e3*theirs/float64(b.N), "git-ms/op")
	b.ReportMetric(ours/theirs, "ratio")
}

// A delta that claims to make a large object out of nothing gets no memory for it.
func TestDeltaClaimGetsNoMemory(t *testing.T) {
	base := rawObject{plumbing.BlobObject, 1, nil, []byte("x")}
	delta := []byte{1, 0x80, 0x80, 0x80, 0x78, 0x90, 1} // one byte to 240 MiB, by copying one
	pack := packOf(base, rawObject{plumbing.OFSDeltaObject, len(delta), []byte{10}, delta})
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err := store(t, pack)
	runtime.ReadMemStats(&after)
	if err == nil {
		t.Error("accepted")
	}
	if used := after.TotalAlloc - before.TotalAlloc; used > 32<<20 {
		t.Errorf("%d MiB were allocated for %v", used>>20, err)
	}
}
