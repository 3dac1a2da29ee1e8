package document

import (
	"errors"
	"fmt"
	"regexp"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// Position is where something stands in a file, counted from 1.
type Position struct{ Line, Column int }

func (p Position) before(q Position) bool {
	return p.Line < q.Line || p.Line == q.Line && p.Column < q.Column
}

func positionOf(t *token.Token) Position {
	if t == nil || t.Position == nil {
		return Position{1, 1}
	}
	return Position{t.Position.Line, t.Position.Column}
}

// Kind is what a YAML value is; its text is what a message calls it.
type Kind string

// The kinds of values.
const (
	KindMapping Kind = "a mapping"
	KindList    Kind = "a list"
	KindText    Kind = "text"
	KindInteger Kind = "a whole number"
	KindNumber  Kind = "a number"
	KindBool    Kind = "true or false"
	KindNull    Kind = "nothing"
)

// Node is a YAML value with its position. Aliases and merges are resolved: an alias is the node
// that it stands for.
type Node struct {
	At     Position
	Kind   Kind
	Text   string // of a scalar, as it is written
	Fields []Field
	Items  []*Node
}

// Field is one key of a mapping, with where the key stands.
type Field struct {
	Key   string
	At    Position
	Value *Node
}

// parse reads the one document of a file.
func (r *Reader) parse(text []byte) (*Node, error) {
	file, err := parser.ParseBytes(text, 0)
	if err != nil {
		if e, ok := errors.AsType[yaml.Error](err); ok {
			return nil, r.errorAt(positionOf(e.GetToken()), e.GetMessage())
		}
		return nil, r.errorAt(Position{1, 1}, err.Error())
	}
	b := builder{reader: r, anchors: map[string]*Node{}}
	var root *Node
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
		return nil, r.errorAt(Position{1, 1}, "the file is empty")
	}
	if root.Kind != KindMapping {
		return nil, r.errorAt(root.At, fmt.Sprintf("the file is %s, want keys and values", root.Kind))
	}
	return root, r.Err()
}

// builder turns the parser's tree into nodes.
type builder struct {
	reader  *Reader
	anchors map[string]*Node
}

// start is the position of the first character of n.
func (b *builder) start(n ast.Node) Position {
	if m, ok := n.(*ast.MappingNode); ok && !m.IsFlowStyle && len(m.Values) > 0 {
		return positionOf(m.Values[0].Key.GetToken()) // its own token is the first colon
	}
	return positionOf(n.GetToken())
}

func (b *builder) build(n ast.Node) *Node {
	switch n := n.(type) {
	case *ast.MappingNode:
		return b.mapping(n, n.Values)
	case *ast.MappingValueNode:
		m := b.mapping(n, []*ast.MappingValueNode{n})
		m.At = positionOf(n.Key.GetToken())
		return m
	case *ast.SequenceNode:
		list := &Node{At: b.start(n), Kind: KindList}
		for _, item := range n.Values {
			list.Items = append(list.Items, b.build(item))
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
		if n.GetToken().Value == "!!str" && tagged.Kind != KindMapping && tagged.Kind != KindList {
			tagged.Kind = KindText
		}
		return &tagged
	}
	return b.scalar(n)
}

func (b *builder) alias(n *ast.AliasNode) *Node {
	name := n.Value.GetToken().Value
	if anchored, ok := b.anchors[name]; ok {
		return anchored
	}
	b.reader.Fail(b.start(n), "no anchor &%s comes before this", name)
	return &Node{At: b.start(n), Kind: KindNull}
}

// exponent matches a number that the parser takes for text, since it has no point before its
// exponent (YAML 1.2.2, section 10.3.2, has it as a number).
var exponent = regexp.MustCompile(`^[-+]?[0-9]+[eE][-+]?[0-9]+$`)

func (b *builder) scalar(n ast.Node) *Node {
	s := &Node{At: b.start(n), Kind: KindText, Text: n.GetToken().Value}
	switch n := n.(type) {
	case *ast.LiteralNode:
		s.Text = n.Value.Value
	case *ast.StringNode:
		s.Text = n.Value
		if n.Token.Type == token.StringType && exponent.MatchString(n.Value) {
			s.Kind = KindNumber
		}
	case *ast.IntegerNode:
		s.Kind = KindInteger
	case *ast.FloatNode, *ast.InfinityNode, *ast.NanNode:
		s.Kind = KindNumber
	case *ast.BoolNode:
		s.Kind = KindBool
	case *ast.NullNode, nil:
		s.Kind = KindNull
	}
	return s
}

// mapping builds a mapping. What "<<" merges in counts where the mapping itself has no such key.
func (b *builder) mapping(n ast.Node, values []*ast.MappingValueNode) *Node {
	m := &Node{At: b.start(n), Kind: KindMapping}
	var merged []Field
	for _, v := range values {
		at := positionOf(v.Key.GetToken())
		if !v.Key.IsMergeKey() {
			m.Fields = append(m.Fields, Field{Key: v.Key.GetToken().Value, At: at, Value: b.build(v.Value)})
			continue
		}
		from := b.build(v.Value)
		sources := []*Node{from}
		if from.Kind == KindList {
			sources = from.Items
		}
		for _, source := range sources {
			if source.Kind != KindMapping {
				b.reader.Fail(at, "<< merges %s, want a mapping", source.Kind)
			}
			merged = append(merged, source.Fields...)
		}
	}
	for _, f := range merged {
		if m.Field(f.Key) == nil {
			m.Fields = append(m.Fields, f)
		}
	}
	return m
}

// Field returns the field of that key, or nil.
func (n *Node) Field(key string) *Field {
	for i := range n.Fields {
		if n.Fields[i].Key == key {
			return &n.Fields[i]
		}
	}
	return nil
}
