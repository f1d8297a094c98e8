package org.example.shelf;

import java.util.ArrayList;
import java.util.List;

public final class Shelf {
    private final List<Book> books = new ArrayList<>();

    public void add(Book book) {
        if (book == null) {
            throw new IllegalArgumentException("no book");
        }
        books.add(book);
    }

    public List<Book> by(String author) {
        return books.stream().filter(book -> book.author().equals(author)).toList();
    }

    @Override
    public String toString() {
        return "Shelf of " + books.size() + " books";
    }

    public static void main(String[] args) {
        Shelf shelf = new Shelf();
        shelf.add(new Book("Dream of the Red Chamber", "Cao Xueqin", 1791));
        System.out.println(shelf);
    }
}
