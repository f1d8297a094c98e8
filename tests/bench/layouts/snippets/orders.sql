CREATE TABLE orders (
    id INTEGER PRIMARY KEY,
    customer TEXT NOT NULL,
    placed DATE NOT NULL,
    amount NUMERIC(10, 2) CHECK (amount > 0)
);
-- totals by month
SELECT date_trunc('month', placed) AS month, count(*) AS orders, sum(amount) AS total
FROM orders
WHERE placed >= '2024-01-01'
GROUP BY 1
ORDER BY total DESC;
INSERT INTO orders (customer, placed, amount) VALUES ('Tamar', '2024-05-17', 18.50);
SELECT o.id, c.name FROM orders o JOIN customers c ON c.id = o.customer WHERE c.city = 'Tbilisi';
