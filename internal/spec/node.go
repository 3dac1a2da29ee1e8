package spec

import (
	"errors"
	"fmt"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// position is where something stands in a file, counted from 1.
type position struct{ line, column int }

func (p position) before(q position) bool {
	return p.line < q.line || p.line == q.line && p.column < q.column
}

func positionOf(t *token.Token) position {
	if t == nil || t.Position == nil {
		return position{1, 1}
	}
	return position{t.Position.Line, t.Position.Column}
}

// kind is what a YAML value is; its text is what a message calls it.
type kind string

const (
	isMapping kind = "a mapping"
	isList    kind = "a list"
	isText    kind = "text"
	isInteger kind = "a whole number"
	isNumber  kind = "a number"
	isBool    kind = "true or false"
	isNull    kind = "nothing"
)

// node is a YAML value with its position. Aliases and merges are resolved: an alias is the node
// that it stands for.
type node struct {
	at     position
	kind   kind
	text   string // of a scalar, as it is written
	fields []field
	items  []*node
}

type field struct {
	key   string
	at    position
	value *node
}

// parse reads the one document of a file.
func (r *reader) parse(text []byte) (*node, error) {
	file, err := parser.ParseBytes(text, 0)
	if err != nil {
		if e, ok := errors.AsType[yaml.Error](err); ok {
			return nil, r.errorAt(positionOf(e.GetToken()), e.GetMessage())
		}
		return nil, r.errorAt(position{1, 1}, err.Error())
	}
	b := builder{reader: r, anchors: map[string]*node{}}
	var root *node
	for _, doc := range file.Docs {
		switch {
		case doc.Body == nil || doc.Body.Type() == ast.CommentType:
		case root != nil:
			return nil, r.errorAt(b.start(doc.Body), "a second document begins here, want one document in the file")
		default:
			root = b.build(doc.Body)
		}
	}
	if root == nil {
		return nil, r.errorAt(position{1, 1}, "the file is empty")
	}
	if root.kind != isMapping {
		return nil, r.errorAt(root.at, fmt.Sprintf("the file is %s, want keys and values", root.kind))
	}
	return root, r.err()
}

// builder turns the parser's tree into nodes.
type builder struct {
	reader  *reader
	anchors map[string]*node
}

// start is the position of the first character of n.
func (b *builder) start(n ast.Node) position {
	if m, ok := n.(*ast.MappingNode); ok && !m.IsFlowStyle && len(m.Values) > 0 {
		return positionOf(m.Values[0].Key.GetToken()) // its own token is the first colon
	}
	return positionOf(n.GetToken())
}

func (b *builder) build(n ast.Node) *node {
	switch n := n.(type) {
	case *ast.MappingNode:
		return b.mapping(n, n.Values)
	case *ast.MappingValueNode:
		m := b.mapping(n, []*ast.MappingValueNode{n})
		m.at = positionOf(n.Key.GetToken())
		return m
	case *ast.SequenceNode:
		list := &node{at: b.start(n), kind: isList}
		for _, item := range n.Values {
			list.items = append(list.items, b.build(item))
		}
		return list
	case *ast.AnchorNode:
		anchored := b.build(n.Value)
		b.anchors[n.Name.GetToken().Value] = anchored
		return anchored
	case *ast.AliasNode:
		return b.alias(n)
	case *ast.TagNode:
		tagged := *b.build(n.Value)
		if n.GetToken().Value == "!!str" && tagged.kind != isMapping && tagged.kind != isList {
			tagged.kind = isText
		}
		return &tagged
	}
	return b.scalar(n)
}

func (b *builder) alias(n *ast.AliasNode) *node {
	name := n.Value.GetToken().Value
	if anchored, ok := b.anchors[name]; ok {
		return anchored
	}
	b.reader.fail(b.start(n), "no anchor &%s comes before this", name)
	return &node{at: b.start(n), kind: isNull}
}

func (b *builder) scalar(n ast.Node) *node {
	s := &node{at: b.start(n), kind: isText, text: n.GetToken().Value}
	switch n := n.(type) {
	case *ast.LiteralNode:
		s.text = n.Value.Value
	case *ast.StringNode:
		s.text = n.Value
	case *ast.IntegerNode:
		s.kind = isInteger
	case *ast.FloatNode, *ast.InfinityNode, *ast.NanNode:
		s.kind = isNumber
	case *ast.BoolNode:
		s.kind = isBool
	case *ast.NullNode, nil:
		s.kind = isNull
	}
	return s
}

// mapping builds a mapping. What "<<" merges in counts where the mapping itself has no such key.
func (b *builder) mapping(n ast.Node, values []*ast.MappingValueNode) *node {
	m := &node{at: b.start(n), kind: isMapping}
	var merged []field
	for _, v := range values {
		at := positionOf(v.Key.GetToken())
		if !v.Key.IsMergeKey() {
			m.fields = append(m.fields, field{key: v.Key.GetToken().Value, at: at, value: b.build(v.Value)})
			continue
		}
		from := b.build(v.Value)
		sources := []*node{from}
		if from.kind == isList {
			sources = from.items
		}
		for _, source := range sources {
			if source.kind != isMapping {
				b.reader.fail(at, "<< merges %s, want a mapping", source.kind)
			}
			merged = append(merged, source.fields...)
		}
	}
	for _, f := range merged {
		if m.find(f.key) == nil {
			m.fields = append(m.fields, f)
		}
	}
	return m
}

// find returns the field of that key, or nil.
func (n *node) find(key string) *field {
	for i := range n.fields {
		if n.fields[i].key == key {
			return &n.fields[i]
		}
	}
	return nil
}

// value is n as package yaml writes it.
func (n *node) value() any {
	switch n.kind {
	case isMapping:
		m := yaml.MapSlice{}
		for _, f := range n.fields {
			m = append(m, yaml.MapItem{Key: f.key, Value: f.value.value()})
		}
		return m
	case isList:
		list := []any{}
		for _, item := range n.items {
			list = append(list, item.value())
		}
		return list
	case isNull:
		return nil
	case isText:
		return n.text
	}
	var v any
	if yaml.Unmarshal([]byte(n.text), &v) != nil {
		return n.text
	}
	return v
}
