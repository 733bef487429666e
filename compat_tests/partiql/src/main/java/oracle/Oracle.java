package oracle;

import com.amazon.ion.IonSystem;
import com.amazon.ion.IonStruct;
import com.amazon.ion.IonValue;
import com.amazon.ion.IonWriter;
import com.amazon.ion.Timestamp;
import com.amazon.ion.system.IonSystemBuilder;
import com.amazon.ion.system.IonTextWriterBuilder;
import com.amazon.ion.util.IonTextUtils;
import java.io.BufferedReader;
import java.io.BufferedWriter;
import java.io.InputStreamReader;
import java.io.OutputStreamWriter;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.HashMap;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.partiql.lang.CompilerPipeline;
import org.partiql.lang.SqlException;
import org.partiql.lang.ast.ExprNode;
import org.partiql.lang.ast.ExprNodeToStatementKt;
import org.partiql.lang.ast.StatementToExprNodeKt;
import org.partiql.lang.domains.PartiqlAst;
import org.partiql.lang.errors.ErrorCode;
import org.partiql.lang.errors.Property;
import org.partiql.lang.errors.PropertyValue;
import org.partiql.lang.eval.Addressed;
import org.partiql.lang.eval.Bindings;
import org.partiql.lang.eval.CompileOptions;
import org.partiql.lang.eval.EvaluationSession;
import org.partiql.lang.eval.ExprValue;
import org.partiql.lang.eval.ExprValueExtensionsKt;
import org.partiql.lang.eval.ExprValueFactory;
import org.partiql.lang.eval.ExprValueType;
import org.partiql.lang.eval.Named;
import org.partiql.lang.eval.OrdinalBindings;
import org.partiql.lang.eval.Scalar;
import org.partiql.lang.eval.visitors.FromSourceAliasVisitorTransform;
import org.partiql.lang.eval.visitors.StaticTypeVisitorTransform;
import org.partiql.lang.eval.visitors.StaticTypeVisitorTransformConstraints;
import org.partiql.lang.syntax.SqlParser;
import org.partiql.lang.types.StaticType;

/**
 * Answers statements, a line each, as partiql-lang-kotlin does: legacy typing, names resolved statically.
 *
 * <p>A request: {@code T<tab>{tables}} replaces the tables (an Ion struct of bags) and has no answer;
 * {@code E<tab>statement<tab>parameters} evaluates, {@code P<tab>statement} only parses. Statements are
 * strings in Ion's (and JSON's) notation, parameters an Ion list. An answer: {@code V<tab>value}, with
 * {@code $bag::[]} for a bag and {@code $missing::null} for MISSING, or {@code E<tab>[code, line, column, generated,
 * thrown]}; code is null for an error without one, and "CRASH" for an exception that is no error of the language.
 */
public final class Oracle {
    private final IonSystem ion = IonSystemBuilder.standard().build();
    private final ExprValueFactory values = ExprValueFactory.standard(ion);
    private final SqlParser parser = new SqlParser(ion);
    private final CompilerPipeline pipeline =
        CompilerPipeline.builder(values).sqlParser(parser).compileOptions(CompileOptions.standard()).build();
    private final Set<StaticTypeVisitorTransformConstraints> constraints =
        EnumSet.allOf(StaticTypeVisitorTransformConstraints.class);
    private final Map<String, ExprValue> tables = new HashMap<>();
    private final Bindings<ExprValue> globals = name -> tables.get(name.getName());
    private final Bindings<StaticType> types = name -> tables.containsKey(name.getName()) ? StaticType.ANY : null;

    public static void main(String[] arguments) throws Exception {
        Thread thread = new Thread(null, () -> new Oracle().serve(), "oracle", 512L << 20);
        thread.start();
        thread.join();
    }

    private void serve() {
        try (BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8), 1 << 20);
            BufferedWriter out =
                new BufferedWriter(new OutputStreamWriter(System.out, StandardCharsets.UTF_8), 1 << 20)) {
            String line;
            while ((line = in.readLine()) != null) {
                String[] parts = line.split("\t");
                if (parts[0].equals("T")) {
                    readTables(parts[1]);
                    continue;
                }
                if (parts[0].equals("F")) {
                    out.flush();
                    continue;
                }
                out.write(answer(parts));
                out.write('\n');
            }
        } catch (java.io.IOException error) {
            throw new java.io.UncheckedIOException(error);
        }
    }

    private void readTables(String text) {
        tables.clear();
        for (IonValue table : (IonStruct) ion.singleValue(text)) {
            tables.put(table.getFieldName(), bag(table.getFieldName(), table));
        }
    }

    /** A table: its documents, with ids like {@code T-0} for BY. */
    private ExprValue bag(String name, IonValue rows) {
        List<ExprValue> found = new ArrayList<>();
        for (IonValue row : (com.amazon.ion.IonSequence) rows) {
            ExprValue id = values.newString(name + "-" + found.size());
            found.add(new Document(values.newFromIonValue(row.clone()), id));
        }
        return values.newBag(found);
    }

    /** A value that BY finds an address in. */
    private static final class Document implements ExprValue, Addressed {
        private final ExprValue value;
        private final ExprValue id;

        Document(ExprValue value, ExprValue id) {
            this.value = value;
            this.id = id;
        }

        @Override
        public ExprValue getAddress() {
            return id;
        }

        @Override
        public ExprValueType getType() {
            return value.getType();
        }

        @Override
        public IonValue getIonValue() {
            return value.getIonValue();
        }

        @Override
        public Scalar getScalar() {
            return value.getScalar();
        }

        @Override
        public Bindings<ExprValue> getBindings() {
            return value.getBindings();
        }

        @Override
        public OrdinalBindings getOrdinalBindings() {
            return value.getOrdinalBindings();
        }

        @Override
        public Iterator<ExprValue> iterator() {
            return value.iterator();
        }

        @Override
        public <T> T asFacet(Class<T> type) {
            return type == Addressed.class ? type.cast(this) : value.asFacet(type);
        }

        @Override
        public String toString() {
            return value.toString();
        }
    }

    private String answer(String[] parts) {
        try {
            String statement = ((com.amazon.ion.IonString) ion.singleValue(parts[1])).stringValue();
            ExprNode parsed = parser.parseExprNode(statement);
            if (parts[0].equals("P")) {
                return "V\tnull";
            }
            parsed = resolved(parsed);
            List<ExprValue> parameters = new ArrayList<>();
            if (parts.length > 2) {
                for (IonValue value : (com.amazon.ion.IonSequence) ion.singleValue(parts[2])) {
                    parameters.add(values.newFromIonValue(value.clone()));
                }
            }
            EvaluationSession session =
                EvaluationSession.builder()
                    .globals(globals)
                    .parameters(parameters)
                    .now(Timestamp.valueOf("2020-09-13T12:26:40.000Z"))
                    .build();
            StringBuilder text = new StringBuilder("V\t");
            write(pipeline.compile(parsed).eval(session), text);
            return text.toString();
        } catch (SqlException error) {
            return "E\t" + described(error);
        } catch (StackOverflowError error) {
            return "E\t[\"CRASH\",null,null,\"\",\"StackOverflowError\"]";
        } catch (RuntimeException error) {
            return "E\t[\"CRASH\",null,null,\"\"," + quoted(error.toString()) + "]";
        }
    }

    /** The names bound as QLDB's compiler had them bound: before anything else looks at the tree. */
    private ExprNode resolved(ExprNode parsed) {
        PartiqlAst.Statement statement = ExprNodeToStatementKt.toAstStatement(parsed);
        statement = new FromSourceAliasVisitorTransform().transformStatement(statement);
        statement = new StaticTypeVisitorTransform(ion, types, constraints).transformStatement(statement);
        return StatementToExprNodeKt.toExprNode(statement, ion);
    }

    private String described(SqlException error) {
        ErrorCode code = error.getErrorCode();
        return "["
            + (code == null ? "null" : quoted(code.name()))
            + ","
            + number(error, Property.LINE_NUMBER)
            + ","
            + number(error, Property.COLUMN_NUMBER)
            + ","
            + quoted(error.generateMessage())
            + ","
            + quoted(String.valueOf(error.getMessage()))
            + "]";
    }

    private static String number(SqlException error, Property property) {
        PropertyValue value = error.getErrorContext() == null ? null : error.getErrorContext().get(property);
        return value == null ? "null" : Long.toString(value.longValue());
    }

    private static String quoted(String text) {
        return IonTextUtils.printString(text);
    }

    private void write(ExprValue value, StringBuilder out) {
        switch (value.getType().name()) {
            case "MISSING":
                out.append("$missing::null");
                return;
            case "LIST":
                annotations(value, out);
                elements(value, "[", ",", "]", out);
                return;
            case "BAG":
                annotations(value, out);
                elements(value, "$bag::[", ",", "]", out);
                return;
            case "SEXP":
                annotations(value, out);
                elements(value, "(", " ", ")", out);
                return;
            case "STRUCT":
                annotations(value, out);
                fields(value, out);
                return;
            default:
                out.append(text(value.getIonValue()));
        }
    }

    private String text(IonValue value) {
        StringBuilder text = new StringBuilder();
        IonWriter writer = IonTextWriterBuilder.minimal().withCharsetAscii().build(text);
        value.writeTo(writer);
        try {
            writer.finish();
        } catch (java.io.IOException error) {
            throw new java.io.UncheckedIOException(error);
        }
        return text.toString();
    }

    private static void annotations(ExprValue value, StringBuilder out) {
        IonValue backing;
        try {
            backing = value.getIonValue();
        } catch (UnsupportedOperationException error) {
            return; // the fields of an unpivoted struct have no Ion value
        }
        for (String annotation : backing.getTypeAnnotations()) {
            out.append(IonTextUtils.printQuotedSymbol(annotation)).append("::");
        }
    }

    private void elements(ExprValue value, String begin, String between, String end, StringBuilder out) {
        out.append(begin);
        boolean isFirst = true;
        for (ExprValue element : value) {
            if (!isFirst) {
                out.append(between);
            }
            isFirst = false;
            write(element, out);
        }
        out.append(end);
    }

    private void fields(ExprValue value, StringBuilder out) {
        out.append('{');
        boolean isFirst = true;
        for (ExprValue field : value) {
            if (!isFirst) {
                out.append(',');
            }
            isFirst = false;
            out.append(quoted(ExprValueExtensionsKt.stringValue(field.asFacet(Named.class).getName()))).append(':');
            write(field, out);
        }
        out.append('}');
    }
}
