-- Sample projects and accounts for docker-compose. The service account reads definitions and keeps the policy.
CREATE DATABASE alipay;
CREATE DATABASE myprj;
CREATE DATABASE prj2;

CREATE TABLE myprj.table1 (id INT PRIMARY KEY, name VARCHAR(50), salary INT);
INSERT INTO myprj.table1 VALUES (1, 'Ada', 5200), (2, 'Grace', 6100), (3, 'Edsger', 4800);
CREATE TABLE alipay.table_test (id INT PRIMARY KEY, amount DECIMAL(10,2));
INSERT INTO alipay.table_test VALUES (1, 12.50), (2, 99.00);
CREATE TABLE prj2.notes (id INT PRIMARY KEY, note VARCHAR(100));
INSERT INTO prj2.notes VALUES (1, 'anybody may read this');

CREATE USER 'sluice'@'%' IDENTIFIED BY 'sluice';
GRANT ALL ON *.* TO 'sluice'@'%';
CREATE USER 'owner'@'%' IDENTIFIED BY 'owner';
CREATE USER 'alice'@'%' IDENTIFIED BY 'alice';
CREATE USER 'bob'@'%' IDENTIFIED BY 'bob';
GRANT ALL ON alipay.* TO 'owner'@'%';
GRANT ALL ON myprj.* TO 'owner'@'%';
GRANT ALL ON prj2.* TO 'owner'@'%';
GRANT SELECT ON alipay.* TO 'alice'@'%', 'bob'@'%';
GRANT SELECT ON myprj.* TO 'alice'@'%', 'bob'@'%';
GRANT ALL ON prj2.* TO 'alice'@'%', 'bob'@'%';
